//! What a test can have the node do.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, Result};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{json, Value};
use velo::transports::ShutdownPolicy;
use velo::{InstanceId, PeerInfo, Velo};

use crate::discovery::{run_discovery, DiscoveryCommand};
use crate::events::{run_event, EventCommand};
use crate::handlers::Shared;
use crate::streams::{run_stream, StreamCommand};

/// One line of stdin.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    /// Learns where another instance is.
    Register { peer: PeerInfo },
    /// Forgets it.
    Unregister { to: InstanceId },
    /// One message or call.
    Call(Call),
    /// Calls of `echo`-like handlers, all at once; each payload is its number.
    Many { handler: String, to: InstanceId, count: u32, timeout_ms: u64 },
    /// Names of the handlers of another instance, asked now.
    Handlers { to: InstanceId },
    /// Names of the node's own handlers.
    OwnHandlers,
    /// What the handlers counted, and what is left of calls and staged payloads.
    Counts { staged: Vec<u64> },
    /// Lets calls of `slow` answer.
    Permit { count: usize },
    /// Something with events.
    Event(EventCommand),
    /// Something with streams.
    Stream(StreamCommand),
    /// Something with discovery files.
    Discovery(DiscoveryCommand),
    /// Closes the gate: new requests are given back.
    Drain,
    /// Ends what runs, then the node's transports.
    Shutdown { timeout_ms: u64 },
    /// Ends the process without a word, as far as Velo is concerned.
    Quit,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    pattern: Pattern,
    handler: String,
    to: InstanceId,
    /// The payload as text; for `typed` it is JSON.
    #[serde(default)]
    text: String,
    /// Instead of `text`: a payload of this size, whose bytes are `index * 31 % 251`.
    size: Option<usize>,
    headers: Option<HashMap<String, String>>,
    #[serde(default = "ten_seconds")]
    timeout_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Pattern {
    Send,
    Sync,
    Unary,
    Typed,
}

fn ten_seconds() -> u64 {
    10_000
}

/// Runs one command.
pub async fn run(velo: &Velo, shared: &Arc<Shared>, command: Command) -> Result<Value> {
    match command {
        Command::Register { peer } => velo.register_peer(peer).map(|()| Value::Null),
        Command::Unregister { to } => {
            velo.unregister_peer(to);
            Ok(Value::Null)
        }
        Command::Call(call) => run_call(velo, call).await,
        Command::Many { handler, to, count, timeout_ms } => {
            many(velo, &handler, to, count, Duration::from_millis(timeout_ms)).await
        }
        Command::Handlers { to } => {
            velo.refresh_handlers(to).await?;
            Ok(json!(velo.available_handlers(to).await?))
        }
        Command::OwnHandlers => Ok(json!(velo.list_local_handlers())),
        Command::Counts { staged } => {
            let store = velo.rendezvous_manager().data_store();
            let left = staged.iter().filter(|id| store.metadata(**id).is_some()).count();
            Ok(json!({
                "notes": shared.notes.load(Ordering::SeqCst),
                "notedBytes": shared.noted_bytes.load(Ordering::SeqCst),
                "waiting": shared.waiting.load(Ordering::SeqCst),
                "staged": left,
            }))
        }
        Command::Permit { count } => {
            shared.permits.add_permits(count);
            Ok(Value::Null)
        }
        Command::Event(command) => run_event(velo, shared, command).await,
        Command::Stream(command) => run_stream(velo, &shared.streams, command).await,
        Command::Discovery(command) => run_discovery(velo, shared.files.as_ref(), command).await,
        Command::Drain => {
            velo.begin_drain();
            Ok(Value::Null)
        }
        Command::Shutdown { timeout_ms } => {
            velo.graceful_shutdown(ShutdownPolicy::Timeout(Duration::from_millis(timeout_ms))).await;
            Ok(Value::Null)
        }
        Command::Quit => Ok(Value::Null),
    }
}

async fn run_call(velo: &Velo, call: Call) -> Result<Value> {
    let payload = match call.size {
        Some(size) => pattern_bytes(size),
        None => Bytes::from(call.text.into_bytes()),
    };
    let timeout = Duration::from_millis(call.timeout_ms);
    let headers = call.headers;
    macro_rules! built {
        ($builder:expr) => {{
            let builder = $builder?.raw_payload(payload).instance(call.to);
            match headers {
                Some(headers) => builder.headers(headers),
                None => builder,
            }
        }};
    }
    match call.pattern {
        Pattern::Send => built!(velo.am_send(&call.handler)).send().await.map(|()| Value::Null),
        Pattern::Sync => {
            built!(velo.am_sync(&call.handler)).timeout(timeout).send().await.map(|()| Value::Null)
        }
        Pattern::Unary => {
            built!(velo.unary(&call.handler)).timeout(timeout).send().await.map(|answer| describe(&answer))
        }
        Pattern::Typed => built!(velo.typed_unary::<Value>(&call.handler)).timeout(timeout).send().await,
    }
}

/// What an answer is: its text when it is a short one, and whether it is the payload that `size` makes.
fn describe(answer: &Bytes) -> Value {
    json!({
        "size": answer.len(),
        "same": *answer == pattern_bytes(answer.len()),
        "text": if answer.len() <= 4096 { std::str::from_utf8(answer).ok() } else { None },
    })
}

fn pattern_bytes(size: usize) -> Bytes {
    (0..size).map(|index| (index * 31 % 251) as u8).collect::<Vec<u8>>().into()
}

async fn many(velo: &Velo, handler: &str, to: InstanceId, count: u32, timeout: Duration) -> Result<Value> {
    let mut sent = Vec::with_capacity(count as usize);
    for number in 0..count {
        let payload = Bytes::from(number.to_string());
        sent.push((payload.clone(), velo.unary(handler)?.raw_payload(payload).instance(to).timeout(timeout).send()));
    }
    let mut same = 0;
    let mut first_error = None;
    for (payload, answer) in sent {
        match answer.await {
            Ok(bytes) if bytes == payload => same += 1,
            Ok(_) => first_error = first_error.or(Some("an answer to another call".to_string())),
            Err(error) => first_error = first_error.or(Some(error.to_string())),
        }
    }
    match first_error {
        Some(error) => Err(anyhow!("{same} of {count} answered; {error}")),
        None => Ok(json!({ "same": same })),
    }
}

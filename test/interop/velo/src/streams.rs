//! What a test can have the node do with streams; handles travel as decimal text, and items are `Row`s.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, Context as _, Result};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use velo::streaming::{
    AnchorConfig, AnchorReservation, MpscAnchorConfig, MpscFrame, MpscStreamAnchor, MpscStreamController, MpscStreamSender, StreamAnchor,
    StreamAnchorHandle, StreamController, StreamFrame, StreamSender,
};
use velo::{StreamOpenTicket, Velo};

/// An item: an array of its two fields in MessagePack.
#[derive(Serialize, Deserialize)]
pub struct Row(u64, String);

#[derive(Deserialize)]
#[serde(tag = "stream", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StreamCommand {
    /// Makes an anchor.
    Anchor { many: bool, heartbeat_ms: Option<u64>, unattached_ms: Option<u64>, max_senders: Option<usize> },
    /// Reads frames of an anchor until there are so many, or it has ended.
    Read { handle: String, count: usize, timeout_ms: u64 },
    /// Cancels an anchor.
    Cancel { handle: String },
    /// Asks the sender of an anchor to finish.
    Stop { handle: String },
    /// Lets an anchor go without a word.
    Forget { handle: String },
    /// Attaches a sender; its number is the answer.
    Attach { handle: String },
    /// Prepares the stream of an anchor's next sender; the ticket is the answer.
    Prebind { handle: String },
    /// Makes a sender by a ticket.
    Open { handle: String, ticket: StreamOpenTicket },
    /// Asks the readers of anchors to go on waiting.
    Renew { held: Vec<Held> },
    /// Sends items.
    Send { sender: u64, items: Vec<Row>, timeout_ms: u64 },
    /// Sends `count` items, numbered from 0.
    Flood { sender: u64, count: u64, timeout_ms: u64 },
    /// Reports an error.
    SendError { sender: u64, text: String },
    /// Ends a sender.
    Finalize { sender: u64 },
    Detach { sender: u64 },
    Drop { sender: u64 },
    /// Whether a sender is cancelled, and whether it is asked to finish.
    State { sender: u64 },
}

/// An anchor to which the node may attach later.
#[derive(Deserialize)]
pub struct Held {
    handle: String,
    ticket: Option<StreamOpenTicket>,
}

enum Anchor {
    One(StreamAnchor<Row>),
    Many(MpscStreamAnchor<Row>),
}

enum Controller {
    One(StreamController),
    Many(MpscStreamController),
}

enum Sender {
    One(StreamSender<Row>),
    Many(MpscStreamSender<Row>),
}

struct Sending {
    sender: Arc<Mutex<Option<Sender>>>,
    cancelled: CancellationToken,
    stopping: Option<CancellationToken>,
}

/// The node's anchors and senders.
#[derive(Default)]
pub struct Streams {
    anchors: Mutex<HashMap<String, (Arc<Mutex<Anchor>>, Controller)>>,
    senders: Mutex<HashMap<u64, Sending>>,
    last: AtomicU64,
}

async fn within<T>(timeout_ms: u64, what: impl std::future::Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(Duration::from_millis(timeout_ms), what).await {
        Ok(result) => result,
        Err(_) => Err(anyhow!("not within {timeout_ms} ms")),
    }
}

fn handle_of(text: &str) -> Result<StreamAnchorHandle> {
    Ok(StreamAnchorHandle::from_u128(text.parse().context("a handle is a decimal number")?))
}

/// Runs one command about streams.
pub async fn run_stream(velo: &Velo, streams: &Streams, command: StreamCommand) -> Result<Value> {
    match command {
        StreamCommand::Anchor { many, heartbeat_ms, unattached_ms, max_senders } => {
            let heartbeat_interval = heartbeat_ms.map(Duration::from_millis);
            let unattached_timeout = unattached_ms.map(Duration::from_millis);
            let (anchor, controller, handle) = if many {
                let anchor = velo.create_mpsc_anchor_with_config::<Row>(MpscAnchorConfig {
                    heartbeat_interval,
                    unattached_timeout,
                    max_senders,
                    channel_capacity: None,
                });
                let (controller, handle) = (anchor.controller(), anchor.handle());
                (Anchor::Many(anchor), Controller::Many(controller), handle)
            } else {
                let config = AnchorConfig { heartbeat_interval, unattached_timeout };
                let anchor = velo.anchor_manager().create_anchor_with_config::<Row>(config);
                let (controller, handle) = (anchor.controller(), anchor.handle());
                (Anchor::One(anchor), Controller::One(controller), handle)
            };
            let text = handle.as_u128().to_string();
            streams.anchors.lock().await.insert(text.clone(), (Arc::new(Mutex::new(anchor)), controller));
            Ok(json!(text))
        }
        StreamCommand::Read { handle, count, timeout_ms } => {
            let anchor = anchor_of(streams, &handle).await?;
            let mut frames = Vec::new();
            let read = async {
                let mut anchor = anchor.lock().await;
                while frames.len() < count {
                    match next(&mut anchor).await {
                        Some(frame) => frames.push(frame),
                        None => {
                            frames.push(json!("end"));
                            break;
                        }
                    }
                }
                Ok(())
            };
            within(timeout_ms, read).await.with_context(|| "while reading")?;
            Ok(json!(frames))
        }
        StreamCommand::Cancel { handle } => {
            match streams.anchors.lock().await.get(&handle) {
                Some((_, Controller::One(controller))) => controller.cancel(),
                Some((_, Controller::Many(controller))) => controller.cancel(),
                None => return Err(anyhow!("no such anchor")),
            }
            Ok(Value::Null)
        }
        StreamCommand::Stop { handle } => {
            if let Some((_, Controller::One(controller))) = streams.anchors.lock().await.get(&handle) {
                controller.request_stop();
            }
            Ok(Value::Null)
        }
        StreamCommand::Forget { handle } => Ok(json!(streams.anchors.lock().await.remove(&handle).is_some())),
        StreamCommand::Attach { handle } => attach(velo, streams, handle_of(&handle)?).await,
        StreamCommand::Prebind { handle } => {
            let ticket = velo.prebind_anchor(handle_of(&handle)?).ok_or_else(|| anyhow!("no ticket"))?;
            Ok(json!(ticket))
        }
        StreamCommand::Open { handle, ticket } => {
            let sender = velo.open_anchor_stream::<Row>(handle_of(&handle)?, ticket).await?;
            let (cancelled, stopping) = (sender.cancellation_token(), Some(sender.stop_token()));
            Ok(keep(streams, Sender::One(sender), cancelled, stopping, None).await)
        }
        StreamCommand::Renew { held } => {
            let mut reservations = Vec::new();
            for Held { handle, ticket } in held {
                reservations.push(AnchorReservation::new(handle_of(&handle)?, ticket.as_ref()));
            }
            velo.anchor_manager().renew_reservations(&reservations).await?;
            Ok(Value::Null)
        }
        StreamCommand::Send { sender, items, timeout_ms } => {
            let sender = sender_of(streams, sender).await?;
            within(timeout_ms, async {
                let guard = sender.lock().await;
                for item in items {
                    send(guard.as_ref(), item).await?;
                }
                Ok(Value::Null)
            })
            .await
        }
        StreamCommand::Flood { sender, count, timeout_ms } => {
            let sender = sender_of(streams, sender).await?;
            within(timeout_ms, async {
                let guard = sender.lock().await;
                for number in 0..count {
                    send(guard.as_ref(), Row(number, "flood".into())).await?;
                }
                Ok(Value::Null)
            })
            .await
        }
        StreamCommand::SendError { sender, text } => {
            let sender = sender_of(streams, sender).await?;
            let guard = sender.lock().await;
            match guard.as_ref() {
                Some(Sender::One(sender)) => sender.send_err(text).await?,
                Some(Sender::Many(sender)) => sender.send_err(text).await?,
                None => return Err(anyhow!("the sender has ended")),
            }
            Ok(Value::Null)
        }
        StreamCommand::Finalize { sender } => {
            match sender_of(streams, sender).await?.lock().await.take() {
                Some(Sender::One(sender)) => sender.finalize()?,
                _ => return Err(anyhow!("the sender has ended, or is one of many")),
            }
            Ok(Value::Null)
        }
        StreamCommand::Detach { sender } => {
            match sender_of(streams, sender).await?.lock().await.take() {
                Some(Sender::One(sender)) => sender.detach()?,
                Some(Sender::Many(sender)) => sender.detach().await?,
                None => return Err(anyhow!("the sender has ended")),
            };
            Ok(Value::Null)
        }
        StreamCommand::Drop { sender } => {
            Ok(json!(sender_of(streams, sender).await?.lock().await.take().is_some()))
        }
        StreamCommand::State { sender } => {
            let senders = streams.senders.lock().await;
            let sending = senders.get(&sender).ok_or_else(|| anyhow!("no such sender"))?;
            Ok(json!({
                "cancelled": sending.cancelled.is_cancelled(),
                "stopping": sending.stopping.as_ref().is_some_and(|token| token.is_cancelled()),
            }))
        }
    }
}

async fn attach(velo: &Velo, streams: &Streams, handle: StreamAnchorHandle) -> Result<Value> {
    let (sender, cancelled, stopping, number) = if handle.is_mpsc_stream() {
        let sender = velo.attach_mpsc_anchor::<Row>(handle).await?;
        let (cancelled, number) = (sender.cancellation_token(), Some(sender.sender_id().0));
        (Sender::Many(sender), cancelled, None, number)
    } else {
        let sender = velo.attach_anchor::<Row>(handle).await?;
        let (cancelled, stopping) = (sender.cancellation_token(), Some(sender.stop_token()));
        (Sender::One(sender), cancelled, stopping, None)
    };
    Ok(keep(streams, sender, cancelled, stopping, number).await)
}

/// Keeps a sender under a number of its own.
async fn keep(
    streams: &Streams,
    sender: Sender,
    cancelled: CancellationToken,
    stopping: Option<CancellationToken>,
    number: Option<u64>,
) -> Value {
    let id = streams.last.fetch_add(1, Ordering::SeqCst) + 1;
    let sender = Arc::new(Mutex::new(Some(sender)));
    streams.senders.lock().await.insert(id, Sending { sender, cancelled, stopping });
    json!({ "sender": id, "number": number })
}

async fn anchor_of(streams: &Streams, handle: &str) -> Result<Arc<Mutex<Anchor>>> {
    let anchors = streams.anchors.lock().await;
    anchors.get(handle).map(|(anchor, _)| anchor.clone()).ok_or_else(|| anyhow!("no such anchor"))
}

async fn sender_of(streams: &Streams, id: u64) -> Result<Arc<Mutex<Option<Sender>>>> {
    let senders = streams.senders.lock().await;
    senders.get(&id).map(|sending| sending.sender.clone()).ok_or_else(|| anyhow!("no such sender"))
}

async fn send(sender: Option<&Sender>, item: Row) -> Result<()> {
    match sender {
        Some(Sender::One(sender)) => sender.send(item).await?,
        Some(Sender::Many(sender)) => sender.send(item).await?,
        None => return Err(anyhow!("the sender has ended")),
    }
    Ok(())
}

/// The next frame of an anchor.
async fn next(anchor: &mut Anchor) -> Option<Value> {
    match anchor {
        Anchor::One(anchor) => anchor.next().await.map(|frame| match frame {
            Ok(StreamFrame::Item(row)) => json!({ "item": row }),
            Ok(StreamFrame::Detached) => json!("detached"),
            Ok(StreamFrame::Finalized) => json!("finalized"),
            Ok(_) => json!("another frame"),
            Err(error) => json!({ "error": error.to_string() }),
        }),
        Anchor::Many(anchor) => anchor.next().await.map(|frame| match frame {
            Ok((id, MpscFrame::Item(row))) => json!({ "sender": id.0, "item": row }),
            Ok((id, MpscFrame::SenderError(text))) => json!({ "sender": id.0, "error": text }),
            Ok((id, MpscFrame::Detached)) => json!({ "sender": id.0, "end": "detached" }),
            Ok((id, MpscFrame::Dropped(_))) => json!({ "sender": id.0, "end": "dropped" }),
            Err(error) => json!({ "error": error.to_string() }),
        }),
    }
}

//! What a test can have the node do with events; handles travel as decimal text.

use std::time::Duration;

use anyhow::{anyhow, Context as _, Result};
use serde::Deserialize;
use serde_json::{json, Value};
use velo::{EventHandle, EventStatus, InstanceId, Velo};

use crate::handlers::Shared;

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventCommand {
    /// Makes one of the node's own, which is kept until it is dropped.
    New,
    /// Drops one of the node's own; a pending one is poisoned by that.
    Drop { handle: String },
    /// Waits for one, whoever owns it.
    Await { handle: String, timeout_ms: u64 },
    /// How it is, as far as the node knows at once.
    Poll { handle: String },
    /// Triggers one and waits for the owner's word.
    Trigger { handle: String, timeout_ms: u64 },
    /// Poisons one and waits for the owner's word.
    Poison { handle: String, reason: String, timeout_ms: u64 },
    /// The same without waiting, which sends no response id.
    TriggerOnly { handle: String },
    PoisonOnly { handle: String, reason: String },
    /// Whether an instance waits for one of the node's own.
    HasSubscriber { handle: String, subscriber: InstanceId },
}

fn handle_of(text: &str) -> Result<EventHandle> {
    Ok(EventHandle::from_raw(text.parse().context("a handle is a decimal number")?))
}

async fn within<T>(timeout_ms: u64, what: impl std::future::Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(Duration::from_millis(timeout_ms), what).await {
        Ok(result) => result,
        Err(_) => Err(anyhow!("not within {timeout_ms} ms")),
    }
}

/// Runs one command about events.
pub async fn run_event(velo: &Velo, shared: &Shared, command: EventCommand) -> Result<Value> {
    let events = velo.events();
    match command {
        EventCommand::New => {
            let event = velo.event_manager().new_event()?;
            let handle = event.handle().raw();
            shared.events.lock().unwrap().insert(handle, event);
            Ok(json!(handle.to_string()))
        }
        EventCommand::Drop { handle } => {
            let event = shared.events.lock().unwrap().remove(&handle_of(&handle)?.raw());
            Ok(json!(event.is_some()))
        }
        EventCommand::Await { handle, timeout_ms } => {
            within(timeout_ms, events.awaiter(handle_of(&handle)?)?).await?;
            Ok(json!("triggered"))
        }
        EventCommand::Poll { handle } => Ok(json!(match events.poll(handle_of(&handle)?)? {
            EventStatus::Pending => "pending",
            EventStatus::Ready => "ready",
            EventStatus::Poisoned => "poisoned",
        })),
        EventCommand::Trigger { handle, timeout_ms } => {
            within(timeout_ms, events.trigger(handle_of(&handle)?)).await.map(|()| Value::Null)
        }
        EventCommand::Poison { handle, reason, timeout_ms } => {
            within(timeout_ms, events.poison(handle_of(&handle)?, reason)).await.map(|()| Value::Null)
        }
        EventCommand::TriggerOnly { handle } => {
            velo.event_manager().trigger(handle_of(&handle)?).map(|()| Value::Null)
        }
        EventCommand::PoisonOnly { handle, reason } => {
            velo.event_manager().poison(handle_of(&handle)?, reason).map(|()| Value::Null)
        }
        EventCommand::HasSubscriber { handle, subscriber } => {
            Ok(json!(velo.has_event_subscriber(handle_of(&handle)?, subscriber)))
        }
    }
}

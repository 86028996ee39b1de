//! What the node serves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{anyhow, bail, Context as _, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use velo::{Context, Event, Handler, TypedContext, Velo};

use crate::discovery::Files;
use crate::streams::Streams;

/// What handlers and commands share.
pub struct Shared {
    /// Messages that `note` took.
    pub notes: AtomicU64,
    /// Bytes in them.
    pub noted_bytes: AtomicU64,
    /// Calls of `slow` that have begun.
    pub waiting: AtomicU64,
    /// `slow` answers when there is a permit.
    pub permits: Semaphore,
    /// The node's own events, by handle.
    pub events: Mutex<HashMap<u128, Event>>,
    /// Its anchors and senders.
    pub streams: Streams,
    /// Discovery files, if it was given some.
    pub files: Option<Files>,
}

impl Shared {
    pub fn new(files: Option<Files>) -> Self {
        let zero = || AtomicU64::new(0);
        let (notes, noted_bytes, waiting) = (zero(), zero(), zero());
        Self { notes, noted_bytes, waiting, permits: Semaphore::new(0), events: Mutex::default(), streams: Streams::default(), files }
    }
}

#[derive(Deserialize)]
struct Pair {
    a: i64,
    b: i64,
}

#[derive(Serialize)]
struct Sum {
    sum: i64,
}

/// Registers every handler.
pub fn register(velo: &Velo, shared: &Arc<Shared>) -> Result<()> {
    velo.register_handler(
        Handler::unary_handler("echo", |context: Context| Ok(Some(context.payload))).build(),
    )?;
    velo.register_handler(Handler::unary_handler("none", |_: Context| Ok(None)).build())?;
    velo.register_handler(
        Handler::unary_handler("headers", |context: Context| {
            Ok(Some(Bytes::from(serde_json::to_vec(&context.headers)?)))
        })
        .build(),
    )?;
    velo.register_handler(
        Handler::unary_handler("fail", |_: Context| -> Result<Option<Bytes>> {
            Err(anyhow!("the inner reason")).context("it broke, naïvely")
        })
        .build(),
    )?;
    velo.register_handler(
        Handler::unary_handler("panic", |_: Context| -> Result<Option<Bytes>> {
            panic!("a handler that panics")
        })
        .build(),
    )?;
    velo.register_handler(
        Handler::typed_unary("add", |context: TypedContext<Pair>| {
            Ok(Sum { sum: context.input.a + context.input.b })
        })
        .build(),
    )?;
    velo.register_handler(
        Handler::typed_unary("unit", |_: TypedContext<()>| -> Result<()> { Ok(()) }).build(),
    )?;
    let notes = shared.clone();
    velo.register_handler(
        Handler::am_handler("note", move |context: Context| {
            if context.payload.as_ref() == b"bad" {
                bail!("no thanks");
            }
            notes.notes.fetch_add(1, Ordering::SeqCst);
            notes.noted_bytes.fetch_add(context.payload.len() as u64, Ordering::SeqCst);
            Ok(())
        })
        .build(),
    )?;
    velo.register_handler(
        Handler::am_handler("panicAm", |_: Context| -> Result<()> { panic!("an am handler that panics") })
            .build(),
    )?;
    let slow = shared.clone();
    velo.register_handler(
        Handler::unary_handler_async("slow", move |context: Context| {
            let shared = slow.clone();
            async move {
                shared.waiting.fetch_add(1, Ordering::SeqCst);
                shared.permits.acquire().await?.forget();
                Ok(Some(context.payload))
            }
        })
        .build(),
    )
}

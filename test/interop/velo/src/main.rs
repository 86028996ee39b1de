//! A Velo node that a test drives: one JSON object a line on stdin, one answer a line on stdout.
//!
//! Its first line is `{"ready":{"instanceId","endpoint","peerInfo"}}`. Every command has an `id`, and its answer
//! is `{"id","ok":…}` or `{"id","error":"…"}`; commands run at once, so answers come in any order.
//! Arguments: the endpoint; then, for discovery by files, the files of peers and of services.

mod commands;
mod discovery;
mod events;
mod handlers;
mod streams;

use std::sync::Arc;

use anyhow::{anyhow, Context as _, Result};
use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use velo::transports::zmq::ZmqTransportBuilder;
use velo::Velo;

use commands::{run, Command};
use discovery::Files;
use handlers::{register, Shared};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().unwrap_or_else(|| "tcp://127.0.0.1:0".into());
    let files = match (arguments.next(), arguments.next()) {
        (Some(peers), Some(services)) => Some(Files::new(&peers, &services)?),
        _ => None,
    };
    let transport = ZmqTransportBuilder::new().bind_endpoint(endpoint).build()?;
    let mut builder = Velo::builder().add_transport(Arc::new(transport));
    if let Some(files) = &files {
        builder = builder.discovery(files.peers.clone());
    }
    let velo = builder.build().await?;
    let shared = Arc::new(Shared::new(files));
    register(&velo, &shared)?;

    let (answers, mut written) = mpsc::unbounded_channel::<Value>();
    let writer = tokio::spawn(async move {
        let mut stdout = tokio::io::stdout();
        while let Some(answer) = written.recv().await {
            if stdout.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
                break;
            }
            let _ = stdout.flush().await;
        }
    });
    answers.send(ready(&velo)?)?;

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    // The end of stdin is the end of the test, however it went.
    while let Some(line) = lines.next_line().await? {
        let request: Value = serde_json::from_str(&line).context("a command is a JSON object")?;
        let id = request["id"].clone();
        let command = match serde_json::from_value::<Command>(request) {
            Ok(Command::Quit) => break,
            Ok(command) => command,
            Err(error) => {
                answers.send(json!({ "id": id, "error": format!("bad command: {error}") }))?;
                continue;
            }
        };
        let (velo, shared, answers) = (velo.clone(), shared.clone(), answers.clone());
        tokio::spawn(async move {
            let answer = match run(&velo, &shared, command).await {
                Ok(value) => json!({ "id": id, "ok": value }),
                Err(error) => json!({ "id": id, "error": error.to_string() }),
            };
            let _ = answers.send(answer);
        });
    }
    drop(answers);
    // Commands that still wait hold the channel; whoever says quit does not wait for them.
    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), writer).await;
    std::process::exit(0);
}

fn ready(velo: &Velo) -> Result<Value> {
    let info = velo.peer_info();
    let endpoint = info
        .worker_address()
        .get_entry("zmq")?
        .ok_or_else(|| anyhow!("the node has no ZMQ address"))?;
    Ok(json!({ "ready": {
        "instanceId": velo.instance_id(),
        "endpoint": String::from_utf8(endpoint.to_vec())?,
        "peerInfo": info,
    } }))
}

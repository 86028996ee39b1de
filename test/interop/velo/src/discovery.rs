//! What a test can have the node do with discovery files.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{json, Value};
use tokio::sync::Mutex;
use velo::discovery::{
    FilesystemPeerDiscovery, FilesystemServiceDiscovery, PeerDiscovery, PeerRegistrationGuard,
    ServiceDiscovery, ServiceRegistrationGuard,
};
use velo::{InstanceId, Velo};

/// The files of a node that was given some.
pub struct Files {
    pub peers: Arc<FilesystemPeerDiscovery>,
    services: FilesystemServiceDiscovery,
    /// What stands in them for this node.
    registered: Mutex<Vec<Registered>>,
}

enum Registered {
    Peer(Box<dyn PeerRegistrationGuard>),
    Service(Box<dyn ServiceRegistrationGuard>),
}

impl Files {
    pub fn new(peers: &str, services: &str) -> Result<Self> {
        Ok(Self {
            peers: Arc::new(FilesystemPeerDiscovery::new(peers)?),
            services: FilesystemServiceDiscovery::new(services)?,
            registered: Mutex::default(),
        })
    }
}

#[derive(Deserialize)]
#[serde(tag = "discovery", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DiscoveryCommand {
    /// Writes the node's peer info into the file of peers.
    Publish,
    /// Writes it as one that offers a service.
    Offer { service: String },
    /// Takes back everything that was written.
    Withdraw,
    /// Looks an instance up and registers it as a peer.
    Find { to: InstanceId },
    /// The instance with a worker id, which is decimal text.
    FindWorker { worker: String },
    /// Who offers a service.
    Instances { service: String },
    /// Every service that somebody offers.
    Services,
}

/// Runs one command about discovery.
pub async fn run_discovery(velo: &Velo, files: Option<&Files>, command: DiscoveryCommand) -> Result<Value> {
    let files = files.context("the node was started without discovery files")?;
    let mut registered = files.registered.lock().await;
    match command {
        DiscoveryCommand::Publish => {
            let guard = files.peers.register_peer_info(&velo.peer_info()).await?;
            registered.push(Registered::Peer(Box::new(guard)));
            Ok(Value::Null)
        }
        DiscoveryCommand::Offer { service } => {
            let guard = files.services.register_service(&service, velo.instance_id()).await?;
            registered.push(Registered::Service(Box::new(guard)));
            Ok(Value::Null)
        }
        DiscoveryCommand::Withdraw => {
            for one in registered.drain(..) {
                match one {
                    Registered::Peer(mut guard) => guard.unregister().await?,
                    Registered::Service(mut guard) => guard.unregister().await?,
                }
            }
            Ok(Value::Null)
        }
        DiscoveryCommand::Find { to } => velo.discover_and_register_peer(to).await.map(|()| Value::Null),
        DiscoveryCommand::FindWorker { worker } => {
            let worker = serde_json::from_str(&worker).context("a worker id is a decimal number")?;
            Ok(json!(files.peers.discover_by_worker_id(worker).await?.instance_id()))
        }
        DiscoveryCommand::Instances { service } => Ok(json!(files.services.get_instances(&service).await?)),
        DiscoveryCommand::Services => Ok(json!(files.services.list_services().await?)),
    }
}

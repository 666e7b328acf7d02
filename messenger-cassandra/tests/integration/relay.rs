//! A relay between a store and a node, which sees and may change each frame of the CQL protocol on
//! its way. So a test can do what the store has no options for, and what is tried is the store as
//! it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Failed;
use messenger_cassandra::CassandraConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// The direction of a frame: to the node or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Request,
    Answer,
}

/// A frame of version 4 of the protocol.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Version, flags, two bytes of stream, operation. (Then there is the length of the body.)
    pub(crate) head: [u8; 5],
    pub(crate) body: Vec<u8>,
}

/// Sees a frame, may change it, and says how long it is held back.
type Touch = Arc<dyn Fn(Way, &mut Frame) -> Duration + Send + Sync>;

/// A relay to one node. It takes no new connections when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Starts to listen, on the runtime that this runs on.
    pub(crate) async fn start(
        node: &str,
        touch: impl Fn(Way, &mut Frame) -> Duration + Send + Sync + 'static,
    ) -> Result<Self, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (node, touch): (_, Touch) = (node.to_owned(), Arc::new(touch));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Whoever is connected sees it end when one side does.
                let _ = connect(client, &node, &touch).await;
            }
        });
        Ok(Self { address, accepting })
    }

    /// The configuration with this relay in the place of the node.
    pub(crate) async fn on_the_way(
        &self,
        config: &CassandraConfig,
        node: &str,
    ) -> Result<CassandraConfig, Failed> {
        // Nodes give no port: it counts as that of the connection over which they were found.
        let addresses = lookup_host(node).await?;
        let own = addresses.map(|address| SocketAddr::new(address.ip(), self.address.port()));
        let through = own.map(|address| (address, self.address));
        Ok(config
            .clone()
            .with_nodes([self.address.to_string()])
            .with_addresses(through))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connect(client: TcpStream, node: &str, touch: &Touch) -> std::io::Result<()> {
    let node = TcpStream::connect(node).await?;
    client.set_nodelay(true)?;
    node.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_node, to_node) = node.into_split();
    tokio::spawn(pass(Way::Request, from_client, to_node, Arc::clone(touch)));
    tokio::spawn(pass(Way::Answer, from_node, to_client, Arc::clone(touch)));
    Ok(())
}

async fn pass(
    way: Way,
    mut from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Send + Unpin + 'static,
    touch: Touch,
) -> std::io::Result<()> {
    let to = Arc::new(Mutex::new(to));
    loop {
        let mut head = [0; 5];
        from.read_exact(&mut head).await?;
        let length = from.read_u32().await?;
        let mut frame = Frame {
            head,
            body: vec![0; length as usize],
        };
        from.read_exact(&mut frame.body).await?;
        let held = touch(way, &mut frame);
        let mut bytes = frame.head.to_vec();
        // As long as it came, or a little longer.
        bytes.extend_from_slice(&(frame.body.len() as u32).to_be_bytes());
        bytes.append(&mut frame.body);
        if held.is_zero() {
            to.lock().await.write_all(&bytes).await?;
        } else {
            // Others overtake it: answers are matched by their stream.
            let to = Arc::clone(&to);
            tokio::spawn(async move {
                tokio::time::sleep(held).await;
                to.lock().await.write_all(&bytes).await
            });
        }
    }
}

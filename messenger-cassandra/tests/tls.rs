//! TLS to a real node: `cargo test -p messenger-cassandra --features tls --test tls`.
//!
//! The node's certificate is for 127.0.0.1 and the node's address is another one each time, so the
//! store reaches it through a relay there. It is made with `keytool`, which the JDK brings that
//! runs the node; in a container the node could not read it, so such a node is not tried.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use messenger_cassandra::{CassandraConfig, CassandraStore, Replication};
use messenger_core::{Clock, ErrorKind, NewMessage, Store as _};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use testkit::cassandra::{Cluster, Source};
use tokio::net::{TcpListener, TcpStream};

type Verdict = Result<(), Failed>;

fn main() {
    let trial = Trial::ignorable_test("a_store_talks_tls_to_those_it_trusts", || {
        match testkit::cassandra::shared() {
            Ok(nodes) if nodes.source() == Source::Maven => play().map(|()| Completion::Completed),
            Ok(nodes) => Ok(Completion::ignored_with(format!(
                "the node must read a file of this machine, and nodes are from {} here",
                nodes.source()
            ))),
            Err(unavailable) => testkit::trial::verdict(unavailable),
        }
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit()
}

fn play() -> Verdict {
    let files = Files::make()?;
    // Optional, for testkit asks without TLS whether the node is there.
    let cluster = Cluster::builder()
        .yaml(format!(
            "client_encryption_options: {{enabled: true, optional: true, keystore: {}, \
             keystore_password: {PASSWORD}}}",
            files.path("node.p12").display()
        ))
        .start()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let node = &cluster.contact_points()[0];
        let config = through_relay(node).await?;
        trusted(config.clone().with_ca_file(files.path("ca.pem"))?, node).await?;
        not_trusted(config.with_ca_file(files.path("other.pem"))?).await
    })
}

async fn trusted(config: CassandraConfig, node: &str) -> Verdict {
    CassandraStore::migrate(&config).await?;
    let store = CassandraStore::connect(&config).await?;
    let message = NewMessage::new("alice".parse()?, "bob".parse()?, "Nobody listens")?;
    let message = message.with_id(Clock::new().next_id());
    store.put(message.id().into(), &message).await?;
    let history = store.history(message.conversation_id(), None, 2);
    assert_eq!(history.await?, [message]);
    // The node says so too: this connection is a plain one, and all of the store's are not.
    let bare = SessionBuilder::new().known_node(node).build().await?;
    let plain = connections(&bare, false).await?;
    drop(store);
    let store = CassandraStore::connect(&config).await?;
    assert_eq!(connections(&bare, false).await?, plain);
    assert!(connections(&bare, true).await? > 0);
    drop(store);
    Ok(())
}

async fn not_trusted(config: CassandraConfig) -> Verdict {
    let error = CassandraStore::connect(&config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(error.message().contains("certificate"), "{error}");
    Ok(())
}

/// Returns the number of client connections of the node, with TLS or without.
async fn connections(bare: &Session, with_tls: bool) -> Result<usize, Failed> {
    let statement = "SELECT ssl_enabled FROM system_views.clients";
    let rows = bare.query_unpaged(statement, ()).await?;
    let rows = rows.into_rows_result()?;
    let mut count = 0;
    for row in rows.rows::<(bool,)>()? {
        count += usize::from(row?.0 == with_tls);
    }
    Ok(count)
}

/// The configuration of a store that reaches the node at 127.0.0.1.
async fn through_relay(node: &str) -> Result<CassandraConfig, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let here = listener.local_addr()?;
    let there: std::net::SocketAddr = node.parse()?;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut node = TcpStream::connect(there).await?;
                tokio::io::copy_bidirectional(&mut client, &mut node).await
            });
        }
    });
    // Nodes give no port: it counts as that of the connection over which they were found.
    let given = std::net::SocketAddr::new(there.ip(), here.port());
    Ok(CassandraConfig::new([here.to_string()])
        .with_replication(Replication::everywhere(1))
        .with_addresses([(given, here)]))
}

/// Of stores that nobody else can read and that are gone after the test.
const PASSWORD: &str = "changeit";

/// An authority, a node's certificate that it has signed, and another authority.
struct Files(PathBuf);

impl Files {
    fn make() -> Result<Self, Failed> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let files = Self(dir);
        for authority in ["ca", "other"] {
            files.keytool(&format!(
                "-genkeypair -keystore {authority}.p12 -alias {authority} -dname CN={authority} \
                 -keyalg EC -ext bc:c"
            ))?;
            files.keytool(&format!(
                "-exportcert -rfc -keystore {authority}.p12 -alias {authority} \
                 -file {authority}.pem"
            ))?;
        }
        files.keytool("-genkeypair -keystore node.p12 -alias node -dname CN=node -keyalg EC")?;
        files.keytool("-certreq -keystore node.p12 -alias node -file node.csr")?;
        files.keytool(
            "-gencert -rfc -keystore ca.p12 -alias ca -infile node.csr -outfile node.pem \
             -ext san=ip:127.0.0.1",
        )?;
        files.keytool("-importcert -noprompt -keystore node.p12 -alias ca -file ca.pem")?;
        files.keytool("-importcert -noprompt -keystore node.p12 -alias node -file node.pem")?;
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn keytool(&self, arguments: &str) -> Verdict {
        let output = Command::new("keytool")
            .current_dir(&self.0)
            .args(arguments.split_whitespace())
            .args(["-storetype", "PKCS12", "-storepass", PASSWORD])
            .output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "keytool {arguments}: {}",
                String::from_utf8_lossy(&output.stdout)
            )
            .into()),
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

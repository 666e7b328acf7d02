//! A node behind a proxy that loses, delays and answers what it is told to.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use libtest_mimic::Failed;
use messenger_cassandra::{CassandraConfig, CassandraStore};
use messenger_core::{Store, UserId};
use scylla::errors::DbError;
use scylla_proxy::{
    Condition, Node, Proxy, Reaction as _, RequestFrame, RequestOpcode, RequestReaction,
    RequestRule, ResponseOpcode, ResponseReaction, ResponseRule, RunningProxy, ShardAwareness,
    TargetShard,
};

use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::world::{Verdict, World, eventually, failed};

/// The time for which the store behind the proxy waits for an answer: enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// Attempts that a request may have, and some more.
const ALL_ATTEMPTS: usize = 10;

/// The fate of one request of a call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The node never sees it.
    RequestLost,
    /// The node does it, and the answer gets lost.
    AnswerLost,
    /// The node does it, and answers when nobody waits any more.
    AnswerLate,
    /// The connection breaks before the node sees it.
    BreaksBefore,
    /// The connection breaks when the node has done it.
    BreaksAfter,
    /// The node answers with this error to the first attempt only.
    ErrorOnce(DbError),
    /// The node answers with this error to every attempt.
    ErrorAlways(DbError),
}

/// A store that talks through a proxy.
pub(crate) struct Proxied {
    pub(crate) store: CassandraStore,
    proxy: RunningProxy,
    /// `true` if a connection was broken.
    broke: bool,
}

impl Proxied {
    pub(crate) async fn new(world: &World) -> Result<Self, Failed> {
        let (proxy, config) = start(world, Vec::new()).await?;
        let config = config.with_request_timeout(TIMEOUT);
        let store = CassandraStore::connect(&config).await.map_err(failed)?;
        Ok(Self {
            store,
            proxy,
            broke: false,
        })
    }

    /// Lets this happen to the request that comes `after` this many others, counted from now.
    pub(crate) fn prepare(&mut self, fault: &Fault, after: usize) {
        self.broke = matches!(fault, Fault::BreaksBefore | Fault::BreaksAfter);
        let node = &mut self.proxy.running_nodes[0];
        let request = |reaction: RequestReaction, times| {
            Some(vec![RequestRule(data(statement(), after, times), reaction)])
        };
        let response = |reaction: ResponseReaction| {
            let result = Condition::ResponseOpcode(ResponseOpcode::Result);
            let result = result.and(Condition::not(looked()));
            Some(vec![ResponseRule(data(result, after, 1), reaction)])
        };
        match fault {
            Fault::RequestLost => {
                node.change_request_rules(request(RequestReaction::drop_frame(), 1))
            }
            Fault::AnswerLost => {
                node.change_response_rules(response(ResponseReaction::drop_frame()))
            }
            Fault::AnswerLate => {
                node.change_response_rules(response(ResponseReaction::delay(TIMEOUT * 3 / 2)));
            }
            Fault::BreaksBefore => {
                node.change_request_rules(request(RequestReaction::drop_connection(), 1));
            }
            Fault::BreaksAfter => {
                node.change_response_rules(response(ResponseReaction::drop_connection()));
            }
            Fault::ErrorOnce(error) => node
                .change_request_rules(request(RequestReaction::forge_with_error(error.clone()), 1)),
            Fault::ErrorAlways(error) => node.change_request_rules(request(
                RequestReaction::forge_with_error(error.clone()),
                ALL_ATTEMPTS,
            )),
        }
    }

    /// Answers the request that comes `after` this many others with these errors, one for each attempt.
    pub(crate) fn prepare_errors(
        &mut self,
        after: usize,
        errors: impl IntoIterator<Item = DbError>,
    ) {
        // The first rule that holds acts, and those behind it are not asked: each counts only the
        // requests that passed the ones before, which are the same for all.
        let rules = errors.into_iter().map(|error| {
            let condition = data(statement(), after, 1);
            RequestRule(condition, RequestReaction::forge_with_error(error))
        });
        self.proxy.running_nodes[0].change_request_rules(Some(rules.collect()));
    }

    /// Gives each statement from now on, as it is on the wire: what it is, and its body.
    pub(crate) fn listen(&mut self) -> UnboundedReceiver<(RequestFrame, Option<TargetShard>)> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let reaction = RequestReaction::noop().with_feedback_when_performed(sender);
        let own = Condition::not(Condition::ConnectionRegisteredAnyEvent);
        let rule = RequestRule(own.and(statement()), reaction);
        self.proxy.running_nodes[0].change_request_rules(Some(vec![rule]));
        receiver
    }

    /// Lets everything through again, and waits until the store is well.
    pub(crate) async fn heal(&mut self) -> Verdict {
        self.proxy.turn_off_rules();
        if !std::mem::take(&mut self.broke) {
            return Ok(());
        }
        let nobody = UserId::new("nobody")?;
        eventually("the store is connected again", async || {
            Ok(self.store.inbox(&nobody, None, 1).await.is_ok())
        })
        .await
    }
}

/// A proxy with these rules from the start, and a configuration that leads through it.
pub(crate) async fn start(
    world: &World,
    rules: Vec<RequestRule>,
) -> Result<(RunningProxy, CassandraConfig), Failed> {
    let nodes = testkit::cassandra::shared().map_err(failed)?;
    let real: SocketAddr = nodes.contact_points()[0].parse()?;
    let address = free_address(real.port())?;
    let node = Node::builder()
        .real_address(real)
        .proxy_address(address)
        .shard_awareness(ShardAwareness::Unaware)
        .request_rules(rules)
        .build();
    let proxy = Proxy::new([node]).run().await?;
    let config = world
        .config
        .clone()
        .with_nodes([address.to_string()])
        .with_addresses([(real, address)]);
    Ok((proxy, config))
}

/// The answers to [`looks`]: these come with the names of their columns and of their table.
fn looked() -> Condition {
    let body = |text: &str| Condition::BodyContainsCaseInsensitive(text.as_bytes().into());
    body("tounixtimestamp").or(body("schema_info"))
}

/// The requests by which a store learns the clock of a node, and whether it serves reads.
pub(crate) fn looks() -> Condition {
    let body = |text: &str| Condition::BodyContainsCaseSensitive(text.as_bytes().into());
    body("toUnixTimestamp").or(body("name = 'probe"))
}

/// A request that executes something.
fn statement() -> Condition {
    let opcode = Condition::RequestOpcode;
    opcode(RequestOpcode::Execute).or(opcode(RequestOpcode::Batch))
}

/// Matches `times` frames of this kind, which come `after` this many others; and none of the driver's
/// control connection.
fn data(kind: Condition, after: usize, times: usize) -> Condition {
    let own = Condition::not(Condition::ConnectionRegisteredAnyEvent);
    let turn = Condition::not(Condition::TrueForLimitedTimes(after))
        .and(Condition::TrueForLimitedTimes(times));
    own.and(kind).and(turn)
}

/// An address that nobody listens at now, at this port: the driver takes the port of a node from the
/// connection over which it was found.
pub(crate) fn free_address(port: u16) -> Result<SocketAddr, Failed> {
    let [a, b, ..] = rand::random::<u32>().to_be_bytes();
    // Above those that testkit takes for its nodes.
    let address = SocketAddr::from((Ipv4Addr::new(127, a, b, 200), port));
    TcpListener::bind(address)?;
    Ok(address)
}

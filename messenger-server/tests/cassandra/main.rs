//! The program on a real Cassandra: the node that a whole test run shares.

use std::process::Command;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

#[path = "../integration/client.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod client;
mod node;
#[path = "../integration/process.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod process;
mod programs;

use node::{NoNode, Node};

fn main() {
    let trials = programs::CASES
        .iter()
        .map(|&(name, case)| Trial::ignorable_test(name, move || on_the_node(case)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit()
}

/// Returns a command that runs the program.
fn messenger_server() -> Command {
    process::program(env!("CARGO_BIN_EXE_messenger-server"))
}

/// Without a Cassandra a case is ignored with the reason, or fails if one is required.
fn on_the_node(case: fn(&Node)) -> Result<Completion, Failed> {
    static NODE: OnceLock<Result<Node, NoNode>> = OnceLock::new();
    match NODE.get_or_init(Node::of_this_run) {
        Ok(node) => {
            case(node);
            Ok(Completion::Completed)
        }
        Err(NoNode::Missing(reason)) => Ok(Completion::ignored_with(reason)),
        Err(NoNode::Broken(reason)) => Err(reason.into()),
    }
}

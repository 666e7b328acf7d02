//! What came of starting the shared node, as a file for the other processes of the run.

use std::{fs, io, path::Path};

use super::{error::Unavailable, log::Log, nodes::Nodes, source::Source};

/// Writes it, whole or not at all: the writer may be killed.
pub(crate) fn write(path: &Path, outcome: &Result<Nodes, Unavailable>) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, to_text(outcome))?;
    fs::rename(new, path)
}

/// Reads it; `None` if nobody has come to an end yet.
pub(crate) fn read(path: &Path) -> io::Result<Option<Result<Nodes, Unavailable>>> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text)
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("cannot read {}: {text:?}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// One word and a line for each thing, or the reason.
fn to_text(outcome: &Result<Nodes, Unavailable>) -> String {
    match outcome {
        Ok(nodes) => {
            let mut text = format!("nodes\nsource {}\n", nodes.source);
            for node in &nodes.contact_points {
                text += &format!("node {node}\n");
            }
            for log in &nodes.logs {
                text += &match log {
                    Log::File(path) => format!("file {}\n", path.display()),
                    Log::Container(name) => format!("container {name}\n"),
                };
            }
            text
        }
        Err(error) if error.is_missing() => format!("missing\n{}", error.reason()),
        Err(error) => format!("broken\n{}", error.reason()),
    }
}

fn parse(text: &str) -> Option<Result<Nodes, Unavailable>> {
    let (kind, rest) = text.split_once('\n')?;
    match kind {
        "nodes" => parse_nodes(rest).map(Ok),
        "missing" => Some(Err(Unavailable::missing(rest))),
        "broken" => Some(Err(Unavailable::broken(rest))),
        _ => None,
    }
}

fn parse_nodes(text: &str) -> Option<Nodes> {
    let mut nodes = Nodes {
        source: Source::Environment,
        contact_points: Vec::new(),
        logs: Vec::new(),
    };
    for line in text.lines() {
        let (key, value) = line.split_once(' ')?;
        match key {
            "source" => {
                let is_it = |source: &Source| source.to_string() == value;
                nodes.source = Source::ALL.into_iter().find(is_it)?;
            }
            "node" => nodes.contact_points.push(value.to_owned()),
            "file" => nodes.logs.push(Log::File(value.into())),
            "container" => nodes.logs.push(Log::Container(value.to_owned())),
            _ => return None,
        }
    }
    Some(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let nodes = Nodes {
            source: Source::Maven,
            contact_points: vec!["127.1.2.1:9042".to_owned()],
            logs: vec![Log::File("/a b/log".into()), Log::Container("c".to_owned())],
        };
        for outcome in [
            Ok(nodes),
            Err(Unavailable::missing("one\ntwo")),
            Err(Unavailable::broken("")),
        ] {
            assert_eq!(parse(&to_text(&outcome)), Some(outcome));
        }
    }
}

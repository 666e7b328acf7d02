//! Nodes as containers of the image `cassandra:5.0`.
//!
//! testcontainers creates them. It does not remove them: its destructor does not run in a killed
//! process, and would end the shared node with the first test binary. The watchdog removes them by
//! their label. It needs the `docker` command, which also pauses, kills and starts containers.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use testcontainers::core::IntoContainerPort;
use testcontainers::runners::SyncRunner;
use testcontainers::{ContainerRequest, GenericImage, ImageExt};

use super::config::{self, LOGBACK, Options};
use super::error::Unavailable;
use super::log::Log;
use super::node::Machine;
use crate::process::limited;

/// The time limit of a command.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// The time limit of creating a container, which may pull the image.
const CREATE_LIMIT: Duration = Duration::from_secs(300);

/// The configuration in a container, next to that of the image.
const YAML: &str = "/testkit/cassandra.yaml";
const LOGBACK_FILE: &str = "/testkit/logback.xml";
/// The data directory of the image.
const DATA: &str = "/var/lib/cassandra";

/// Checks that a Docker engine answers, once per process.
pub(crate) fn find() -> Result<(), Unavailable> {
    static ANSWER: LazyLock<Result<(), Unavailable>> = LazyLock::new(|| {
        docker(&["version", "--format", "{{.Server.Version}}"])
            .map(drop)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Unavailable::missing("no docker on the PATH"),
                _ => Unavailable::missing(error),
            })
    });
    ANSWER.clone()
}

/// A node in a container, identified by its name.
#[derive(Debug)]
pub(crate) struct Container {
    name: String,
}

impl Container {
    /// Creates and starts a container whose clients connect to `address`. Its label is the name of
    /// `dir`, whose watchdog removes it.
    pub(crate) fn run(
        dir: &Path,
        home: &str,
        address: SocketAddr,
        yaml: &str,
        options: &Options,
    ) -> Result<Self, Unavailable> {
        fs::write(dir.join("docker"), "")?;
        let label = dir.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("messenger-testkit-{label}-{home}");
        let request = GenericImage::new("cassandra", "5.0")
            .with_container_name(&name)
            .with_label("messenger-testkit", label)
            // The first node is its own seed under this name, before it has an address.
            .with_hostname(home)
            .with_copy_to(YAML, yaml.as_bytes().to_vec())
            .with_copy_to(LOGBACK_FILE, LOGBACK.as_bytes().to_vec())
            // Read after the command line, so it overrides the options of the image.
            .with_env_var("_JAVA_OPTIONS", java_options(options))
            .with_mapped_port(address.port(), 9042.tcp())
            .with_host_config_modifier(move |host| {
                let bindings = host.port_bindings.iter_mut().flatten();
                for binding in bindings.flat_map(|(_, list)| list.iter_mut().flatten()) {
                    binding.host_ip = Some(address.ip().to_string());
                }
            });
        create(request)?;
        Ok(Self { name })
    }

    /// Returns the address that other containers connect to.
    pub(crate) fn peer_address(&self) -> io::Result<String> {
        self.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
    }

    fn inspect(&self, format: &str) -> io::Result<String> {
        let text = docker(&["inspect", "--format", format, &self.name])?;
        Ok(text.trim().to_owned())
    }
}

impl Machine for Container {
    fn begin(&self) -> io::Result<()> {
        if self.ended()?.is_none() {
            return Err(io::Error::other("the node is already running"));
        }
        docker(&["start", &self.name]).map(drop)
    }

    fn ended(&self) -> io::Result<Option<String>> {
        let state = self.inspect("{{.State.Running}} {{.State.ExitCode}}")?;
        Ok(state
            .strip_prefix("false ")
            .map(|code| format!("exit code {code}")))
    }

    fn kill(&self) -> io::Result<()> {
        docker(&["kill", &self.name])?;
        docker(&["wait", &self.name]).map(drop)
    }

    fn pause(&self) -> io::Result<()> {
        docker(&["pause", &self.name]).map(drop)
    }

    fn resume(&self) -> io::Result<()> {
        docker(&["unpause", &self.name]).map(drop)
    }

    fn log(&self) -> Log {
        Log::Container(self.name.clone())
    }
}

fn java_options(options: &Options) -> String {
    let mut list = config::jvm(options);
    list.push(format!("-Dcassandra.config=file://{YAML}"));
    list.push(format!("-Dlogback.configurationFile=file://{LOGBACK_FILE}"));
    list.push(format!("-Dcassandra.storagedir={DATA}"));
    list.join(" ")
}

/// Creates the container on another thread: testcontainers blocks in its own runtime, which panics
/// inside of another one, and it has no time limit for a pull.
fn create(request: ContainerRequest<GenericImage>) -> Result<(), Unavailable> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let created = request.start().map(|container| {
            // Its destructor would remove the container.
            std::mem::forget(container);
        });
        let _ = sender.send(created);
    });
    match receiver.recv_timeout(CREATE_LIMIT) {
        Ok(created) => created.map_err(|error| {
            Unavailable::missing(format!(
                "Docker cannot start a container of cassandra:5.0: {error}"
            ))
        }),
        Err(_) => Err(Unavailable::missing(format!(
            "Docker did not start a container of cassandra:5.0 within {CREATE_LIMIT:?}"
        ))),
    }
}

fn docker(arguments: &[&str]) -> io::Result<String> {
    let what = format!("docker {}", arguments.join(" "));
    limited::run(Command::new("docker").args(arguments), COMMAND_LIMIT)?.success(what)
}

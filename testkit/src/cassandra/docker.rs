//! Nodes as containers of the image `cassandra:5.0`.
//!
//! testcontainers makes them, and removes none: it would do so from a destructor, which a killed
//! process does not run, and which would end the shared node with the first test binary. That is
//! the watchdog's task, by a label. For that it needs the `docker` command, which then also serves
//! to pause, kill and start containers.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{LazyLock, mpsc},
    thread,
    time::Duration,
};

use testcontainers::{
    ContainerRequest, GenericImage, ImageExt, core::IntoContainerPort, runners::SyncRunner,
};

use super::{
    config::{self, LOGBACK},
    error::Unavailable,
    log::Log,
    node::Machine,
    options::Options,
};
use crate::process::limited;

/// How long the engine may take for a command.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take to make a container; the image may have to be pulled.
const CREATE_LIMIT: Duration = Duration::from_secs(300);

/// Where the configuration is put in a container, beside the image's own.
const YAML: &str = "/testkit/cassandra.yaml";
const LOGBACK_FILE: &str = "/testkit/logback.xml";
/// Where the image keeps its data.
const DATA: &str = "/var/lib/cassandra";

/// Whether a Docker engine answers, asked once per process.
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

/// A node as a container, known by its name.
#[derive(Debug)]
pub(crate) struct Container {
    name: String,
}

impl Container {
    /// Makes and starts a container whose clients connect to `address`; its label is the name of
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
            // The first node names itself by it, before it has an address.
            .with_hostname(home)
            .with_copy_to(YAML, yaml.as_bytes().to_vec())
            .with_copy_to(LOGBACK_FILE, LOGBACK.as_bytes().to_vec())
            // Read after the command line, so that it wins over what the image says.
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

    /// Where other containers connect to.
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
            return Err(io::Error::other("the node runs already"));
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

/// Makes the container in a thread of its own: testcontainers blocks in a runtime of its own,
/// which panics where the caller is in one already, and it has no time limit for a pull.
fn create(request: ContainerRequest<GenericImage>) -> Result<(), Unavailable> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let made = request.start().map(|container| {
            // Its destructor would remove it.
            std::mem::forget(container);
        });
        let _ = tell.send(made);
    });
    match told.recv_timeout(CREATE_LIMIT) {
        Ok(made) => made.map_err(|error| {
            Unavailable::missing(format!(
                "Docker runs no container of cassandra:5.0: {error}"
            ))
        }),
        Err(_) => Err(Unavailable::missing(format!(
            "Docker made no container of cassandra:5.0 within {CREATE_LIMIT:?}"
        ))),
    }
}

fn docker(arguments: &[&str]) -> io::Result<String> {
    let what = format!("docker {}", arguments.join(" "));
    limited::run(Command::new("docker").args(arguments), COMMAND_LIMIT)?.success(what)
}

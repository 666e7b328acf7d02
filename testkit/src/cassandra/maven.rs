//! Nodes as processes: a JDK runs the server's jars from Maven Central.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::time::Duration;

use super::config::{self, JVM_OPTIONS, LOGBACK, Options};
use super::error::Unavailable;
use super::jars;
use super::log::Log;
use super::node::Machine;
use crate::process::{limited, state};

/// A JDK and the jars of the server.
#[derive(Debug)]
pub(crate) struct Jdk {
    java: PathBuf,
    jars: PathBuf,
}

impl Jdk {
    /// Finds a JDK, and downloads the jars if they do not exist.
    pub(crate) fn find(dir: &Path) -> Result<Self, Unavailable> {
        let java = java()?;
        let jars = jars::fetch(dir)?;
        Ok(Self { java, jars })
    }

    /// Writes the files of a node into `home`, without starting it.
    pub(crate) fn prepare(
        &self,
        home: &Path,
        yaml: &str,
        options: &Options,
    ) -> io::Result<JavaProcess> {
        fs::create_dir_all(home.join("triggers"))?;
        fs::create_dir_all(home.join("logs"))?;
        fs::write(home.join("cassandra.yaml"), yaml)?;
        fs::write(home.join("logback.xml"), LOGBACK)?;
        fs::write(home.join("jvm.options"), JVM_OPTIONS)?;
        Ok(JavaProcess {
            home: home.to_owned(),
            java: self.java.clone(),
            arguments: self.arguments(home, options),
            child: Mutex::new(None),
        })
    }

    fn arguments(&self, home: &Path, options: &Options) -> Vec<OsString> {
        let jars = self.jars.display();
        let at = home.display();
        let mut arguments = vec![
            format!("@{at}/jvm.options"),
            "-cp".to_owned(),
            format!("{jars}/*"),
            // The server measures its memtables with it, and does not start without it.
            format!("-javaagent:{jars}/jamm-0.4.0.jar"),
            format!("-Dcassandra.config=file://{at}/cassandra.yaml"),
            format!("-Dlogback.configurationFile=file://{at}/logback.xml"),
            format!("-Dcassandra.storagedir={at}"),
            format!("-Dcassandra.logdir={at}/logs"),
            format!("-Dcassandra.triggers_dir={at}/triggers"),
            "-Dcassandra-foreground=yes".to_owned(),
        ];
        arguments.extend(config::jvm(options));
        arguments.push("org.apache.cassandra.service.CassandraDaemon".to_owned());
        arguments.into_iter().map(OsString::from).collect()
    }
}

/// A node in a process of this machine.
#[derive(Debug)]
pub(crate) struct JavaProcess {
    home: PathBuf,
    java: PathBuf,
    arguments: Vec<OsString>,
    child: Mutex<Option<Child>>,
}

impl JavaProcess {
    fn log_file(&self) -> PathBuf {
        self.home.join("log")
    }

    /// Calls `act` with the child if it is running.
    fn with_child<T>(&self, act: impl FnOnce(&mut Child) -> io::Result<T>) -> io::Result<T> {
        let mut slot = self.child.lock().unwrap_or_else(|e| e.into_inner());
        let child = slot
            .as_mut()
            .ok_or_else(|| io::Error::other("the node was never started"))?;
        match child.try_wait()? {
            None => act(child),
            Some(how) => Err(io::Error::other(format!("the node is not running ({how})"))),
        }
    }

    /// Sends a signal by its name. It takes a shell, because std can only kill.
    fn signal(&self, name: &str) -> io::Result<()> {
        self.with_child(|child| {
            let mut command = Command::new(state::SHELL);
            let pid = child.id().to_string();
            command.args(["-c", r#"kill -s "$1" -- "$2""#, "signal", name, &pid]);
            limited::run(&mut command, Duration::from_secs(10))?.success("kill")?;
            Ok(())
        })
    }
}

impl Machine for JavaProcess {
    fn begin(&self) -> io::Result<()> {
        if self.with_child(|_| Ok(())).is_ok() {
            return Err(io::Error::other("the node is already running"));
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let child = state::watched(&self.home, &self.java)
            .args(&self.arguments)
            .current_dir(&self.home)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        *self.child.lock().unwrap_or_else(|e| e.into_inner()) = Some(child);
        Ok(())
    }

    fn ended(&self) -> io::Result<Option<String>> {
        let mut slot = self.child.lock().unwrap_or_else(|e| e.into_inner());
        match slot.as_mut() {
            Some(child) => Ok(child.try_wait()?.as_ref().map(ExitStatus::to_string)),
            None => Ok(Some("never started".to_owned())),
        }
    }

    fn kill(&self) -> io::Result<()> {
        self.with_child(|child| {
            child.kill()?;
            child.wait()?;
            Ok(())
        })
    }

    fn pause(&self) -> io::Result<()> {
        self.signal("STOP")
    }

    fn resume(&self) -> io::Result<()> {
        self.signal("CONT")
    }

    fn log(&self) -> Log {
        Log::File(self.log_file())
    }
}

/// Reaps the process if the watchdog has killed it. Otherwise it is the shared node, which other
/// processes use.
impl Drop for JavaProcess {
    fn drop(&mut self) {
        let slot = self.child.get_mut().unwrap_or_else(|e| e.into_inner());
        if let Some(child) = slot {
            let _ = child.try_wait();
        }
    }
}

/// Finds a `java` that can run the server.
fn java() -> Result<PathBuf, Unavailable> {
    let home = env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let java = match home {
        Some(home) => Path::new(&home).join("bin/java"),
        None => {
            limited::on_path("java").ok_or_else(|| Unavailable::missing("no java on the PATH"))?
        }
    };
    let mut command = Command::new(&java);
    let output = limited::run(command.arg("-version"), Duration::from_secs(20))
        .and_then(|output| output.success("java -version"))
        .map_err(Unavailable::missing)?;
    match major(&output) {
        Some(version) if version >= 17 => Ok(java),
        _ => Err(Unavailable::missing(format!(
            "JDK 17 or later is required, java -version prints: {}",
            limited::tail(&output, 3)
        ))),
    }
}

/// Returns the 17 of `openjdk version "17.0.15" 2025-04-15`.
fn major(output: &str) -> Option<u32> {
    let (_, version) = output.split_once("version \"")?;
    let end = version.find(|c: char| !c.is_ascii_digit())?;
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_version_is_the_first_number() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(major("openjdk version \"21-ea\" 2023-09-19"), Some(21));
        assert_eq!(major("java version \"1.8.0_432\""), Some(1));
        assert_eq!(major("command not found"), None);
    }
}

//! Starts a browser that does not outlive the test.

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use chromiumoxide::Browser;
use chromiumoxide::cdp::browser_protocol::target::{
    CreateBrowserContextParams, CreateTargetParams,
};
use chromiumoxide::detection::{DetectionOptions, default_executable};
use chromiumoxide::handler::HandlerConfig;
use futures_util::{StreamExt as _, future};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::window::Window;

/// Starts the browser and kills it when standard input ends: when the test drops its end, and also
/// when the test itself is killed.
const UNTIL_STDIN_ENDS: &str =
    r#""$@" & browser=$!; exec 2>&-; cat >/dev/null; kill -9 "$browser"; wait "$browser""#;

const FLAGS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-port=0",
    "--window-size=1100,720",
    // Root has no sandbox. All pages are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-breakpad",
    "--no-first-run",
    // It must not talk to other hosts, nor slow down windows that nobody looks at.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
];

/// This machine has no browser.
pub(crate) struct Missing(pub(crate) String);

/// A running browser.
pub(crate) struct Chromium {
    browser: Browser,
    runtime: Runtime,
    shell: Child,
    _profile: TempDir,
}

impl Chromium {
    /// Starts a browser. Panics if there is one that does not work.
    pub(crate) fn start() -> Result<Self, Missing> {
        let program = default_executable(DetectionOptions::default())
            .map_err(|_| Missing("no Chromium or Chrome in PATH or CHROME".to_owned()))?;
        let profile = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("target is writable");
        let mut shell = Command::new("sh")
            .args(["-c", UNTIL_STDIN_ENDS, "sh"])
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let log = shell.stderr.take().expect("it is a pipe");
        let runtime = Runtime::new().expect("a runtime starts");
        let browser = runtime.block_on(connect(&debugger_url(log)));
        Ok(Self {
            browser,
            runtime,
            shell,
            _profile: profile,
        })
    }

    /// Opens a window that shares nothing with other windows.
    pub(crate) fn open(&self, url: &str) -> Window {
        self.open_tabs(1, url).remove(0)
    }

    /// Opens a window with tabs. Only the last one is seen.
    pub(crate) fn open_tabs(&self, count: usize, url: &str) -> Vec<Window> {
        let pages = self.runtime.block_on(async {
            let context = CreateBrowserContextParams::default();
            let context = self.browser.create_browser_context(context).await?;
            let target = CreateTargetParams::builder()
                .url("about:blank")
                .browser_context_id(context)
                .build()
                .expect("it has a URL");
            let pages = (0..count).map(|_| self.browser.new_page(target.clone()));
            future::try_join_all(pages).await
        });
        let pages = pages.expect("the browser opens a window");
        let show = |page| Window::new(page, self.runtime.handle().clone(), url);
        pages.into_iter().map(show).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Returns the URL that the browser writes when it is ready.
fn debugger_url(log: impl io::Read + Send + 'static) -> String {
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let mut log = String::new();
    let url = lines.find_map(|line| {
        log.push_str(&line);
        log.push('\n');
        let url = line.strip_prefix("DevTools listening on ")?;
        Some(url.to_owned())
    });
    // A full pipe would block the browser.
    thread::spawn(move || lines.for_each(drop));
    url.unwrap_or_else(|| panic!("the browser does not start:\n{log}"))
}

async fn connect(url: &str) -> Browser {
    let config = HandlerConfig {
        viewport: None,
        ..HandlerConfig::default()
    };
    let connected = Browser::connect_with_config(url, config).await;
    let (browser, mut handler) = connected.expect("the browser accepts a connection");
    tokio::spawn(async move { while handler.next().await.is_some() {} });
    browser
}

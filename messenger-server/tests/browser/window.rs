//! A window of the browser, as a user sees it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chromiumoxide::Page;
use chromiumoxide::cdp::browser_protocol::fetch::{
    self, EventRequestPaused, FailRequestParams, FulfillRequestParams, RequestPattern, RequestStage,
};
use chromiumoxide::cdp::browser_protocol::input::InsertTextParams;
use chromiumoxide::cdp::browser_protocol::log::{EventEntryAdded, LogEntryLevel, LogEntrySource};
use chromiumoxide::cdp::browser_protocol::network::{
    EmulateNetworkConditionsByRuleParams, ErrorReason, EventRequestWillBeSent, NetworkConditions,
    OverrideNetworkStateParams,
};
use chromiumoxide::cdp::browser_protocol::page::{
    EventJavascriptDialogOpening, HandleJavaScriptDialogParams,
};
use chromiumoxide::cdp::js_protocol::runtime::{
    ConsoleApiCalledType, EventConsoleApiCalled, EventExceptionThrown,
};
use chromiumoxide::error::CdpError;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::{sleep, timeout};

/// A way in which a request fails.
#[derive(Clone, Copy)]
pub(crate) enum Failure {
    /// The server has carried it out, and the page does not know.
    AnswerLost,
    /// Something between the page and the server answers 403.
    Forbidden,
}

/// Generous, because a machine that also runs a Cassandra may be slow.
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A window. Its calls panic when what they wait for does not happen in time.
pub(crate) struct Window {
    page: Page,
    runtime: Handle,
    faults: Faults,
}

impl Window {
    /// Shows a page, and watches what it does.
    pub(crate) fn new(page: Page, runtime: Handle, url: &str) -> Self {
        let faults = Faults::default();
        let origin = url.find("/chat/").map_or(url, |end| &url[..end]);
        let shown = runtime.block_on(async {
            faults.watch(&page, origin).await?;
            accept_dialogs(&page).await?;
            // It does not wait until all is loaded: the calls that look at the page do.
            let navigate = format!("void (location.href = {url:?})");
            page.evaluate_expression(navigate).await.map(drop)
        });
        shown.expect("the browser shows the page");
        Self {
            page,
            runtime,
            faults,
        }
    }

    /// Returns the value of an expression in JavaScript.
    #[track_caller]
    pub(crate) fn value<T: DeserializeOwned>(&self, expression: &str) -> T {
        let value = self.runtime.block_on(async {
            let result = self.page.evaluate_expression(expression).await?;
            Ok::<_, CdpError>(result.into_value::<T>()?)
        });
        value.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Runs a statement in JavaScript.
    #[track_caller]
    pub(crate) fn run(&self, statement: &str) {
        self.on(async { self.page.evaluate_expression(statement).await.map(drop) });
    }

    /// Waits until an expression in JavaScript is true.
    #[track_caller]
    pub(crate) fn until(&self, condition: &str) {
        let expression = format!("Boolean({condition})");
        let held = self.within_time(async {
            loop {
                let result = self.page.evaluate_expression(expression.as_str()).await;
                if result.is_ok_and(|result| result.into_value().unwrap_or(false)) {
                    return;
                }
                sleep(POLL).await;
            }
        });
        if held.is_err() {
            self.fail(&format!("it never became true: {condition}"));
        }
    }

    #[track_caller]
    fn fail(&self, reason: &str) -> ! {
        let text: String = self.value("document.body.innerText");
        panic!("{reason}\nin the window:\n{text}");
    }

    /// Waits until there is an element, and clicks on it.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let clicked = self.within_time(async {
            // An element may be replaced before it is clicked.
            while self.try_click(selector).await.is_err() {
                sleep(POLL).await;
            }
        });
        if clicked.is_err() {
            self.fail(&format!("no {selector} to click on"));
        }
    }

    async fn try_click(&self, selector: &str) -> Result<(), CdpError> {
        let element = self.page.find_element(selector).await?;
        element.click().await.map(drop)
    }

    /// Types into the element that has the focus.
    #[track_caller]
    pub(crate) fn write(&self, text: &str) {
        self.on(async {
            self.page
                .execute(InsertTextParams::new(text))
                .await
                .map(drop)
        });
    }

    /// Presses a key.
    #[track_caller]
    pub(crate) fn press(&self, key: &str) {
        self.on(async {
            // Keys go to the element that has the focus, whichever they are sent through.
            let body = loop {
                match self.page.find_element("body").await {
                    Ok(body) => break body,
                    Err(_) => sleep(POLL).await,
                }
            };
            body.press_key(key).await.map(drop)
        });
    }

    /// Shows this tab of its window.
    #[track_caller]
    pub(crate) fn bring_to_front(&self) {
        self.on(async { self.page.bring_to_front().await.map(drop) });
    }

    /// Cuts the window off from the network, or connects it again.
    #[track_caller]
    pub(crate) fn set_offline(&self, offline: bool) {
        const UNLIMITED: f64 = -1.0;
        let all = NetworkConditions::new("", 0.0, UNLIMITED, UNLIMITED);
        let network = EmulateNetworkConditionsByRuleParams::new(offline, vec![all]);
        let navigator = OverrideNetworkStateParams::new(offline, 0.0, UNLIMITED, UNLIMITED);
        self.on(async {
            self.page.execute(network).await?;
            self.page.execute(navigator).await.map(drop)
        });
    }

    /// Makes the next POST fail.
    #[track_caller]
    pub(crate) fn fail_next_post(&self, failure: Failure) {
        let page = self.page.clone();
        let stage = match failure {
            Failure::AnswerLost => RequestStage::Response,
            Failure::Forbidden => RequestStage::Request,
        };
        self.on(async {
            let mut paused = page.event_listener::<EventRequestPaused>().await?;
            let calls = RequestPattern::builder()
                .url_pattern("*/api/messages/")
                .request_stage(stage);
            let enable = fetch::EnableParams::builder().pattern(calls.build());
            page.execute(enable.build()).await?;
            tokio::spawn(async move {
                let Some(request) = paused.next().await else {
                    return Ok(());
                };
                let id = request.request_id.clone();
                match failure {
                    Failure::AnswerLost => {
                        let lost = FailRequestParams::new(id, ErrorReason::ConnectionReset);
                        page.execute(lost).await?;
                    }
                    Failure::Forbidden => {
                        page.execute(FulfillRequestParams::new(id, 403)).await?;
                    }
                }
                page.execute(fetch::DisableParams::default()).await?;
                Ok::<_, CdpError>(())
            });
            Ok(())
        });
    }

    /// Checks that the page wrote no error to the console and sent no request to another host.
    #[track_caller]
    pub(crate) fn assert_no_faults(&self) {
        assert_eq!(self.faults.take(|_| true), [] as [String; 0]);
    }

    /// As [`assert_no_faults`](Self::assert_no_faults), but the browser may have said that it did
    /// not reach the server.
    #[track_caller]
    pub(crate) fn assert_no_faults_but_of_the_network(&self) {
        let others = self.faults.take(|fault| !fault.starts_with(NETWORK));
        assert_eq!(others, [] as [String; 0]);
    }

    #[track_caller]
    fn on(&self, action: impl Future<Output = Result<(), CdpError>>) {
        let done = self.within_time(action);
        done.expect("the browser answers")
            .expect("the browser obeys");
    }

    fn within_time<T>(&self, action: impl Future<Output = T>) -> Result<T, Elapsed> {
        self.runtime
            .block_on(async { timeout(TIMEOUT, action).await })
    }
}

/// Begins a fault that the browser itself reports when a request fails.
const NETWORK: &str = "network: ";

/// Errors on the console and requests to other hosts.
#[derive(Clone, Default)]
struct Faults(Arc<Mutex<Vec<String>>>);

impl Faults {
    fn add(&self, fault: String) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(fault);
    }

    fn take(&self, is_taken: impl Fn(&str) -> bool) -> Vec<String> {
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults
            .iter()
            .filter(|fault| is_taken(fault))
            .cloned()
            .collect()
    }

    async fn watch(&self, page: &Page, origin: &str) -> Result<(), CdpError> {
        let faults = self.clone();
        let mut calls = page.event_listener::<EventConsoleApiCalled>().await?;
        tokio::spawn(async move {
            while let Some(call) = calls.next().await {
                if matches!(
                    call.r#type,
                    ConsoleApiCalledType::Error | ConsoleApiCalledType::Warning
                ) {
                    faults.add(format!("console: {:?}", call.args));
                }
            }
        });
        let faults = self.clone();
        let mut exceptions = page.event_listener::<EventExceptionThrown>().await?;
        tokio::spawn(async move {
            while let Some(exception) = exceptions.next().await {
                faults.add(format!("exception: {:?}", exception.exception_details));
            }
        });
        let faults = self.clone();
        let mut entries = page.event_listener::<EventEntryAdded>().await?;
        tokio::spawn(async move {
            while let Some(event) = entries.next().await {
                let entry = &event.entry;
                if entry.level != LogEntryLevel::Error {
                    continue;
                }
                let source = match entry.source {
                    LogEntrySource::Network => NETWORK.to_owned(),
                    ref source => format!("{source:?}: "),
                };
                faults.add(format!("{source}{} {:?}", entry.text, entry.url));
            }
        });
        let faults = self.clone();
        let origin = format!("{origin}/");
        let mut requests = page.event_listener::<EventRequestWillBeSent>().await?;
        tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let url = &request.request.url;
                if !url.starts_with(&origin) && !url.starts_with("data:") {
                    faults.add(format!("another host: {url}"));
                }
            }
        });
        Ok(())
    }
}

/// Says yes to every question.
async fn accept_dialogs(page: &Page) -> Result<(), CdpError> {
    let mut dialogs = page
        .event_listener::<EventJavascriptDialogOpening>()
        .await?;
    let page = page.clone();
    tokio::spawn(async move {
        while dialogs.next().await.is_some() {
            page.execute(HandleJavaScriptDialogParams::new(true))
                .await?;
        }
        Ok::<_, CdpError>(())
    });
    Ok(())
}

//! Hosts, origins and paths under which the service is reached.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use messenger_core::Messenger;
use messenger_http::{Body, MessengerService, ServiceConfig};
use messenger_memory::MemoryStore;
use serde_json::Value;
use tower_service::Service as _;

use crate::client::message;
use crate::raw::{exchange, statuses};
use crate::server::{Server, configs};
use crate::{messenger, run, user};

fn service(config: ServiceConfig) -> MessengerService {
    MessengerService::with_config(Messenger::new(MemoryStore::new()), config)
}

async fn call(service: &MessengerService, request: Request<Full<Bytes>>) -> Response<Body> {
    let Ok(response) = service.clone().call(request).await;
    response
}

async fn body(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

#[test]
fn a_request_has_one_valid_host() {
    run(async {
        let server = Server::with_configs(messenger().await, configs()).await;
        let get = |version: &str, hosts: &str| {
            format!("GET /health/live HTTP/{version}\r\n{hosts}Connection: close\r\n\r\n")
        };
        for (version, hosts, status) in [
            ("1.1", "", 400),
            ("1.1", "Host: a\r\nHost: a\r\n", 400),
            ("1.1", "Host: a b@/c\r\n", 400),
            ("1.1", "Host: user@a\r\n", 400),
            ("1.1", "Host: a:99999\r\n", 400),
            ("1.1", "Host:\r\n", 400),
            ("1.1", "Host: a.example:80\r\n", 200),
            ("1.1", "Host: [::1]:80\r\n", 200),
            ("1.0", "", 200),
            ("1.0", "Host: a\r\nHost: b\r\n", 400),
        ] {
            let answer = exchange(server.address, get(version, hosts)).await;
            assert_eq!(statuses(&answer), [status], "{hosts}: {answer}");
            assert_eq!(
                answer.contains("\"malformed_request\""),
                status == 400,
                "{answer}"
            );
        }
    });
}

#[test]
fn only_allowed_hosts_are_answered() {
    run(async {
        let mut config = ServiceConfig::default();
        config.allowed_hosts = Some(["localhost", "127.0.0.1", "[::1]"].map(Into::into).to_vec());
        let service = service(config);
        let status = async |path: &str, host: &str| {
            let response = call(&service, request(Method::GET, path, &[("host", host)])).await;
            response.status().as_u16()
        };
        let inbox = "/api/conversations/user/1";
        for host in [
            "localhost",
            "LOCALHOST:8000",
            "127.0.0.1:8000",
            "[::1]",
            "[::1]:8000",
        ] {
            assert_eq!(status(inbox, host).await, 200, "{host}");
        }
        for host in [
            "attacker.example",
            "localhost.attacker.example",
            "127.0.0.2",
            "localhos",
        ] {
            assert_eq!(status(inbox, host).await, 421, "{host}");
            assert_eq!(status("/docs", host).await, 421, "{host}");
            assert_eq!(status("/nowhere", host).await, 421, "{host}");
        }
        // Probes use the address of the machine.
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(status(path, "10.0.0.7:8000").await, 200, "{path}");
        }
        // The request target decides, if it names a host.
        let absolute = format!("http://attacker.example{inbox}");
        assert_eq!(status(&absolute, "localhost").await, 421);
        // HTTP/2 has the host in the target only.
        let mut request = request(Method::GET, &format!("http://localhost{inbox}"), &[]);
        *request.version_mut() = Version::HTTP_2;
        assert_eq!(call(&service, request).await.status(), 200);
    });
}

fn cors_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut found: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("access-control-") || *name == "vary")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    found.sort();
    found
}

#[test]
fn other_origins_are_refused_by_default() {
    run(async {
        let service = service(ServiceConfig::default());
        let headers = [("host", "a"), ("origin", "https://chat.example")];
        let response = call(&service, request(Method::GET, "/health/live", &headers)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(cors_headers(response.headers()), []);
        let preflight = [
            headers[0],
            headers[1],
            ("access-control-request-method", "POST"),
        ];
        let response = call(
            &service,
            request(Method::OPTIONS, "/api/messages/", &preflight),
        )
        .await;
        assert_eq!(response.status(), 405);
        assert_eq!(cors_headers(response.headers()), []);
    });
}

#[test]
fn an_allowed_origin_may_call() {
    run(async {
        let mut config = ServiceConfig::default();
        config.cors_origins = vec!["https://chat.example".to_owned()];
        let service = service(config);
        let with = |origin: &'static str, more: &[(&'static str, &'static str)]| {
            [&[("host", "a"), ("origin", origin)], more].concat()
        };
        let preflight = [("access-control-request-method", "POST")];
        let options =
            |path: &str, origin| request(Method::OPTIONS, path, &with(origin, &preflight));

        let allowed = call(&service, options("/api/messages/", "https://chat.example")).await;
        assert_eq!(allowed.status(), 204);
        let headers = allowed.headers();
        assert_eq!(
            headers["access-control-allow-origin"],
            "https://chat.example"
        );
        assert_eq!(headers["access-control-allow-methods"], "POST");
        assert_eq!(headers["vary"], "origin");
        let names = headers["access-control-allow-headers"].to_str().unwrap();
        assert!(
            names.contains("content-type") && names.contains("idempotency-key"),
            "{names}"
        );
        assert!(headers.contains_key("access-control-max-age"));

        // Also of answers that are errors.
        for path in ["/health/live", "/nowhere"] {
            let request = request(Method::GET, path, &with("https://chat.example", &[]));
            let response = call(&service, request).await;
            let headers = response.headers();
            assert_eq!(
                headers["access-control-allow-origin"],
                "https://chat.example"
            );
            let exposed = headers["access-control-expose-headers"].to_str().unwrap();
            assert!(
                exposed.contains("link") && exposed.contains("retry-after"),
                "{exposed}"
            );
        }

        let other = call(&service, options("/api/messages/", "https://other.example")).await;
        assert_eq!(other.status(), 405);
        let vary = [("vary".to_owned(), "origin".to_owned())];
        assert_eq!(cors_headers(other.headers()), vary);
        let none = call(
            &service,
            request(Method::GET, "/health/live", &[("host", "a")]),
        )
        .await;
        assert_eq!(cors_headers(none.headers()), vary);
        // OPTIONS that asks for no permission is a method like any other.
        let plain = request(
            Method::OPTIONS,
            "/api/messages/",
            &with("https://chat.example", &[]),
        );
        assert_eq!(call(&service, plain).await.status(), 405);
    });
}

#[test]
fn any_origin_may_call_if_all_are_allowed() {
    run(async {
        let mut config = ServiceConfig::default();
        config.cors_origins = vec!["*".to_owned()];
        let headers = [("host", "a"), ("origin", "https://any.example")];
        let response = call(
            &service(config),
            request(Method::GET, "/health/live", &headers),
        )
        .await;
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert!(!response.headers().contains_key("vary"));
    });
}

#[test]
fn everything_carries_the_base_path() {
    run(async {
        // Some are also the beginning of paths of calls.
        for base in ["/messenger/v1", "/chat", "/api", "/docs"] {
            for is_removed in [false, true] {
                carries_the_base_path(base, is_removed).await;
            }
        }
        let config = ServiceConfig::default().with_base_path("/chat").unwrap();
        let other = request(Method::GET, "/chatter/health/live", &[("host", "a")]);
        assert_eq!(call(&service(config), other).await.status(), 404);
    });
}

/// Follows what the service writes, behind a router that removes the base path or does not.
async fn carries_the_base_path(base: &str, is_removed: bool) {
    let config = ServiceConfig::default().with_base_path(base).unwrap();
    let service = service(config);
    let arrives = |url: &str| {
        let rest = url.strip_prefix(base).unwrap_or_else(|| panic!("{url}"));
        let path = if is_removed { rest } else { url };
        if path.is_empty() { "/" } else { path }.to_owned()
    };
    let get = async |url: &str| {
        call(
            &service,
            request(Method::GET, &arrives(url), &[("host", "a")]),
        )
        .await
    };
    let ok = async |url: &str| {
        let response = get(url).await;
        assert_eq!(response.status(), 200, "{base}: {url}");
        response
    };

    let (alice, bob) = (user(), user());
    let post = Request::post(arrives(&format!("{base}/api/messages/"))).header("host", "a");
    let post = post.header("content-type", "application/json");
    let sent = post.body(Full::from(message(&alice, &bob, "x"))).unwrap();
    let sent = call(&service, sent).await;
    assert_eq!(sent.status(), 201);
    ok(sent.headers()["location"].to_str().unwrap()).await;

    let inbox = ok(&format!("{base}/api/conversations/user/{alice}")).await;
    let link = inbox.headers()["link"].to_str().unwrap();
    let (prev, _) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    ok(prev).await;

    for root in [base.to_owned(), format!("{base}/")] {
        let mut response = get(&root).await;
        if response.status() == 303 {
            response = ok(response.headers()["location"].to_str().unwrap()).await;
        }
        assert_eq!(response.status(), 200, "{root}");
    }

    for (page, count) in [("/docs", 5), ("/chat/", 5)] {
        let html = body(ok(&format!("{base}{page}")).await).await;
        let files = html.split('"').filter(|part| part.starts_with(base));
        let files: Vec<_> = files.filter(|part| *part != base).collect();
        assert_eq!(files.len(), count, "{files:?}");
        for file in files {
            ok(file).await;
        }
    }
    let script = body(ok(&format!("{base}/docs/start.js")).await).await;
    assert!(
        script.contains(&format!("\"{base}/openapi.json\"")),
        "{script}"
    );

    let document = body(ok(&format!("{base}/openapi.json")).await).await;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["servers"][0]["url"], base);

    let missing = get(&format!("{base}/nowhere/at/all")).await;
    let problem: Value = serde_json::from_str(&body(missing).await).unwrap();
    assert_eq!(problem["code"], "not_found");
    let docs = format!("{base}/docs");
    assert!(
        problem["detail"].as_str().unwrap().contains(&docs),
        "{problem}"
    );
    ok(problem["type"].as_str().unwrap()).await;
}

#[test]
fn a_base_path_is_plain() {
    for path in ["", "/", "chat", "/chat/", "/a/b-c._~1"] {
        assert!(
            ServiceConfig::default().with_base_path(path).is_ok(),
            "{path}"
        );
    }
    for path in [
        "/a b", "/a\"", "/<a>", "/a//b", "/..", "/a/./b", "/é", "/a?b", "/%41",
    ] {
        assert!(
            ServiceConfig::default().with_base_path(path).is_err(),
            "{path}"
        );
    }
}

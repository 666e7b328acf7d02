//! Authentication: `--auth`, the keys of tokens, and the tokens of `messenger-server token`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use tempfile::TempDir;

use crate::client::get_with;
use crate::messenger_server;
use crate::process::{Running, run, until};
use crate::server::Server;

const SECRET: &str = "a secret of more than thirty-two bytes\n";

/// A file of keys.
struct KeyFile(TempDir);

impl KeyFile {
    fn new(text: &str) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        file.write(text);
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    fn flag(&self) -> String {
        format!("--jwt-keys={}", self.path().display())
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }
}

/// Accepted issuer and audience.
const CLAIMS: [&str; 2] = [
    "--jwt-issuer=https://id.example",
    "--jwt-audience=messenger",
];

fn server(keys: &str) -> Server {
    server_with(keys, &[])
}

fn server_with(keys: &str, flags: &[&str]) -> Server {
    let authentication = ["--auth=jwt", keys, CLAIMS[0], CLAIMS[1]];
    Server::start(&[&authentication, flags].concat())
}

fn token(user: &str, keys: &Path, claims: &[&str]) -> String {
    let mut command = messenger_server();
    command.args(["token", "--user", user, "--jwt-keys"]);
    let ended = run(command.arg(keys).args(claims));
    assert!(
        ended.stderr.contains("for development only"),
        "{}",
        ended.stderr
    );
    ended.success().trim_end().to_owned()
}

/// Returns the status of the inbox of alice with this token.
fn status(server: &Server, token: &str) -> u16 {
    let path = "/api/conversations/user/alice";
    let header = format!("Authorization: Bearer {token}\r\n");
    get_with(&server.address, path, &header).status
}

#[test]
fn other_addresses_than_loopback_need_a_choice() {
    let everywhere = "--listen=0.0.0.0:0";
    let error = run(messenger_server().arg(everywhere)).failure();
    assert!(
        error.contains("--auth jwt") && error.contains("--auth none"),
        "{error}"
    );
    let mut server = Server::start(&[everywhere, "--auth=none"]);
    let warning = server.process.log_line();
    assert!(warning.contains("no authentication"), "{warning}");
    let keys = KeyFile::new(SECRET);
    let _server = Server::start(&[
        everywhere,
        "--auth=jwt",
        &keys.flag(),
        "--jwt-any-issuer",
        "--jwt-any-audience",
    ]);
    // Health checks and metrics have nothing to protect.
    Server::start(&["--operations-listen=0.0.0.0:0"]);
}

#[test]
fn flags_that_are_missing_or_contradict_each_other_are_explained() {
    let all = ["--jwt-keys=x", "--jwt-issuer=x", "--jwt-audience=x"];
    for (flags, complaint) in [
        (
            &["--auth=jwt"][..],
            "'--jwt-keys <FILE>' or '--jwks-url <URL>'",
        ),
        (
            &["--auth=jwt", all[0]],
            "'--jwt-issuer <ISSUER>', or '--jwt-any-issuer'",
        ),
        (
            &["--auth=jwt", all[0], all[1]],
            "'--jwt-audience <AUDIENCE>', or '--jwt-any-audience'",
        ),
        (
            &["--auth=jwt", all[0], all[1], all[2], "--jwt-any-issuer"],
            "'--jwt-issuer' and '--jwt-any-issuer' exclude each other",
        ),
        (
            &["--auth=jwt", all[0], "--jwks-url=https://id.example/jwks"],
            "'--jwt-keys' and '--jwks-url' exclude each other",
        ),
        (
            &["--auth=jwt", all[0], "--jwks-ca=x"],
            "'--jwks-ca' has no effect without '--jwks-url'",
        ),
        (
            &["--auth=jwt", "--jwks-url=http://id.example/jwks"],
            "'--jwks-url <URL>': it must begin with https://",
        ),
        (
            &["--jwt-keys=x"],
            "'--jwt-keys' has no effect without '--auth jwt'",
        ),
        (
            &["--auth=none", all[1]],
            "'--jwt-issuer' has no effect without '--auth jwt'",
        ),
        (
            &["--jwks-ca=x"],
            "'--jwks-ca' has no effect without '--auth jwt'",
        ),
        (&["--auth=basic"], "possible values: none, jwt"),
        (&["--auth=jwt", all[0], all[1], all[2]], "cannot read x"),
    ] {
        let error = run(messenger_server().args(flags)).failure();
        assert!(error.contains(complaint), "{flags:?}: {error}");
    }
    let short = KeyFile::new("short");
    let flags = ["--auth=jwt", &short.flag(), CLAIMS[0], CLAIMS[1]];
    let error = run(messenger_server().args(flags)).failure();
    assert!(error.contains("at least 32 bytes"), "{error}");

    let mut command = messenger_server();
    command
        .env("MESSENGER_JWT_KEYS", "x")
        .arg("--listen=127.0.0.1:0");
    let warning = Running::start(&mut command).log_line();
    assert!(
        warning.contains("MESSENGER_JWT_KEYS is set, but has no effect"),
        "{warning}"
    );
}

#[test]
fn tokens_for_development_are_accepted() {
    let keys = KeyFile::new(SECRET);
    let server = server(&keys.flag());
    assert_eq!(status(&server, &token("alice", &keys.path(), &CLAIMS)), 200);
    assert_eq!(status(&server, &token("bob", &keys.path(), &CLAIMS)), 403);
    for claims in [&[][..], &CLAIMS[..1], &CLAIMS[1..]] {
        assert_eq!(status(&server, &token("alice", &keys.path(), claims)), 401);
    }
    let expired = [&CLAIMS[..], &["--expires-in=0"]].concat();
    assert_eq!(
        status(&server, &token("alice", &keys.path(), &expired)),
        200
    );
    assert_eq!(status(&server, ""), 401);
    // Other calls than those of the API need none.
    server.get("/health/ready");
    server.get("/openapi.json");
}

#[test]
fn keys_that_cannot_sign_a_token_are_explained() {
    for (text, complaint) in [
        ("short", "at least 32 bytes"),
        ("{}", "not a JWK"),
        (
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
             -----END PUBLIC KEY-----",
            "not a private key",
        ),
    ] {
        let keys = KeyFile::new(text);
        let mut command = messenger_server();
        let error = run(command.args(["token", "--user=alice", &keys.flag()])).failure();
        assert!(error.contains(complaint), "{text}: {error}");
    }
}

#[test]
fn keys_are_replaced_when_their_file_changes() {
    let keys = KeyFile::new(SECRET);
    let mut server = server(&keys.flag());
    let old = token("alice", &keys.path(), &CLAIMS);
    assert_eq!(status(&server, &old), 200);

    keys.write("a broken file");
    let error = server.process.log_line();
    assert!(
        error.contains("at least 32 bytes") && error.contains("old keys stay"),
        "{error}"
    );
    assert_eq!(status(&server, &old), 200);

    keys.write("another secret of more than thirty-two bytes");
    let new = token("alice", &keys.path(), &CLAIMS);
    until(|| status(&server, &new) == 200);
    assert_eq!(status(&server, &old), 401);
}

/// Serves a JWKS, one request after the other, and returns its URL.
fn issuer(jwks: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{jwks}",
                jwks.len()
            );
        }
    });
    url
}

/// Returns a private key in PEM, and its public part as a JWK.
fn ed25519() -> (String, String) {
    let der = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let text = BASE64_STANDARD.encode(&der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    let key = EncodingKey::from_ed_der(der.as_ref());
    let jwk = Jwk::from_encoding_key(&key, Algorithm::EdDSA).unwrap();
    (pem, serde_json::to_string(&jwk).unwrap())
}

#[test]
fn keys_come_from_a_url() {
    let (pem, jwk) = ed25519();
    let url = issuer(format!(r#"{{"keys": [{jwk}]}}"#));
    let server = server(&format!("--jwks-url={url}"));
    let keys = KeyFile::new(&pem);
    assert_eq!(status(&server, &token("alice", &keys.path(), &CLAIMS)), 200);
    let other = KeyFile::new(&ed25519().0);
    assert_eq!(
        status(&server, &token("alice", &other.path(), &CLAIMS)),
        401
    );
}

#[test]
fn without_keys_from_the_url_requests_are_503() {
    let secret = r#"{"kty": "oct", "k": "YSBzZWNyZXQgb2YgbW9yZSB0aGFuIHRoaXJ0eS10d28gYnl0ZXM"}"#;
    for (jwks, complaint) in [
        ("x".repeat(2 * 1024 * 1024), "cannot fetch"),
        ("[]".to_owned(), "not accepted"),
        (secret.to_owned(), "must not be published"),
    ] {
        let mut server = server(&format!("--jwks-url={}", issuer(jwks)));
        let error = server.process.log_line();
        assert!(error.contains(complaint), "{error}");
        assert_eq!(status(&server, "x"), 503);
    }
}

#[test]
fn the_demo_has_a_token_if_there_is_a_secret() {
    let keys = KeyFile::new(SECRET);
    let mut server = Server::start(&["--demo", "--auth=jwt", &keys.flag(), CLAIMS[0], CLAIMS[1]]);
    let hint = server.process.line();
    let (_, token) = hint.split_once("/chat/#token=").expect("a token");
    assert_eq!(status(&server, token.trim_end()), 200);
    server.process.signal("TERM");
    assert!(server.process.wait().success());
    assert!(!server.process.log().contains(token.trim_end()));
}

#[test]
fn a_user_has_a_limit_of_requests() {
    let keys = KeyFile::new(SECRET);
    let server = server_with(&keys.flag(), &["--max-user-requests=2"]);
    let (alice, bob) = (
        token("alice", &keys.path(), &CLAIMS),
        token("bob", &keys.path(), &CLAIMS),
    );
    let statuses: Vec<_> = (0..5).map(|_| status(&server, &alice)).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_ne!(status(&server, &bob), 429);

    let mut command = messenger_server();
    let ended = run(command.arg("--max-user-requests=2"));
    assert!(ended.failure().contains("'--auth jwt'"));
}

#[test]
fn the_log_names_the_caller_and_never_the_token() {
    let keys = KeyFile::new(SECRET);
    let mut server = server_with(&keys.flag(), &["--log=debug"]);
    let token = token("alice", &keys.path(), &CLAIMS);
    assert_eq!(status(&server, &token), 200);
    server.process.signal("TERM");
    assert!(server.process.wait().success());
    let log = server.process.log();
    assert!(log.contains(r#"user="alice""#), "{log}");
    assert!(!log.contains(&token), "{log}");
}

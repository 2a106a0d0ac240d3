//! TLS, spoken with the certificates of an authority that is made for the test.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use kantoku_api::{
    Client, ClientError,
    contract::{NoParams, ResourceAllocate, SystemInfo},
    server::{self, AccessPolicy, Api, ApiConfig, Limits, first_key},
    tls::{Identity, Trust},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{DEADLINE, Served, access::until, call, raw::exchange};

/// An authority, and a directory for what it signs.
pub(crate) struct Authority {
    dir: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
pub(crate) struct Signed {
    certificate: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("ktk-tls-{}", Uuid::new_v4()));
        std::fs::create_dir(&dir).expect("a directory");
        let mut params = CertificateParams::new(vec![]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, format!("authority {}", dir.display()));
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("signed");
        Self { dir, issuer }
    }

    fn sign_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Signed {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        Signed { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    pub(crate) fn sign(&self, name: &str) -> Signed {
        self.sign_with(name, |_| {})
    }

    /// Writes both to the files that [`Self::files`] names.
    pub(crate) fn write(&self, Signed { certificate, key }: &Signed) -> (PathBuf, PathBuf) {
        let files = self.files();
        std::fs::write(&files.0, certificate).expect("written");
        std::fs::write(&files.1, key).expect("written");
        files
    }

    fn files(&self) -> (PathBuf, PathBuf) {
        (self.dir.join("server.pem"), self.dir.join("server.key"))
    }

    pub(super) fn identity(&self, name: &str) -> Identity {
        let (certificate, key) = self.write(&self.sign(name));
        Identity::read(&certificate, &key).expect("a certificate and its key")
    }

    /// The file of its own certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        let path = self.dir.join("ca.pem");
        std::fs::write(&path, self.issuer.pem()).expect("written");
        path
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::only(&self.ca_file()).expect("a certificate")
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

/// Another listener of an API, which speaks TLS.
pub(super) struct Secured {
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Secured {
    pub(super) async fn start(api: &Arc<Api>, identity: &Identity, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (app, stop) = (server::router(api), CancellationToken::new());
        let (identity, stopped) = (Some(identity.clone()), stop.clone());
        let serving = tokio::spawn(async move {
            server::serve(listener, app, &limits, identity, stopped).await.expect("it serves");
        });
        Self { address, stop, serving }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        timeout(DEADLINE, self.serving).await.expect("it ends").expect("well");
    }
}

/// A connection of a client that knows nothing of ours.
async fn greet(address: SocketAddr, trust: &Trust) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("connected");
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(trust.config()));
    timeout(DEADLINE, connector.connect(name, stream)).await.expect("in time").expect("greeted")
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let certificates = stream.get_ref().1.peer_certificates().expect("some");
    certificates[0].clone().into_owned()
}

fn unreachable(result: Result<Client, ClientError>) -> String {
    match result {
        Err(ClientError::Unreachable { reason, .. }) => reason,
        other => panic!("it is not unreachable: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_the_api_over_https_and_wss() {
    let config = ApiConfig { access: AccessPolicy::Keys, ..ApiConfig::new("api-1") };
    let served = Box::pin(Served::with(config)).await;
    let key = first_key(&served.stand.bus).await.expect("NATS answers").expect("the first");
    let authority = Authority::new();
    let (identity, trust) = (authority.identity("localhost"), authority.trust());
    let secured = Secured::start(&served.api, &identity, Limits::default()).await;
    let (bearer, url) = (format!("Bearer {key}"), secured.url());
    let connect = || Client::connect_as(Some(&bearer), Some(&trust), &url, DEADLINE);
    let client = until("the key opens", async || connect().await.ok()).await;
    client.call::<SystemInfo>(&NoParams {}).await.expect("told");
    let made = call::<ResourceAllocate>(&client, json!({"count": 1})).await.expect("allocated");
    assert_eq!(made.ids.len(), 1);
    let without = Client::connect_as(None, Some(&trust), &url, DEADLINE).await;
    assert!(matches!(without, Err(ClientError::Api(_))), "{without:?}");

    let mut stream = greet(secured.address, &trust).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), None, "nothing was offered");
    let request = format!(
        "GET /v1/resources HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("in time").expect("read");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("as_of_seq"), "{answer}");
    drop(client);
    secured.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_no_tls_is_told_so_and_what_never_ends_its_handshake_is_cut() {
    let served = Served::start().await;
    let authority = Authority::new();
    let identity = authority.identity("localhost");
    let first_request_timeout = Duration::from_millis(300);
    let limits = Limits { first_request_timeout, ..Limits::default() };
    let secured = Secured::start(&served.api, &identity, limits).await;

    let plain = format!("GET /livez HTTP/1.1\r\nHost: {}\r\n\r\n", secured.address);
    let answer = timeout(DEADLINE, exchange(secured.address, &[&plain])).await.expect("in time");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("https://"), "{}", answer.body);

    // Nothing at all; the beginning of a handshake; a whole one and no request; half a request.
    let trust = authority.trust();
    let mut silent = TcpStream::connect(secured.address).await.expect("connected");
    let mut begun = TcpStream::connect(secured.address).await.expect("connected");
    begun.write_all(&[22, 3, 1, 2, 0, 1]).await.expect("sent");
    let mut greeted = greet(secured.address, &trust).await;
    let mut half = greet(secured.address, &trust).await;
    half.write_all(b"GET /livez HT").await.expect("sent");
    let mut rest = Vec::new();
    for stream in [&mut silent, &mut begun] {
        // Cut, with a farewell or without.
        timeout(DEADLINE, stream.read_to_end(&mut rest)).await.expect("it is cut").ok();
    }
    for stream in [&mut greeted, &mut half] {
        timeout(DEADLINE, stream.read_to_end(&mut rest)).await.expect("it is cut").ok();
    }
    secured.stop().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_exchanged_under_open_connections_and_a_broken_one_is_not_taken() {
    let served = Served::start().await;
    let authority = Authority::new();
    let (identity, trust) = (authority.identity("localhost"), authority.trust());
    let secured = Secured::start(&served.api, &identity, Limits::default()).await;
    let client = Client::connect_as(None, Some(&trust), &secured.url(), DEADLINE).await;
    let client = client.expect("connected");
    let first = shown(&greet(secured.address, &trust).await);
    assert!(!identity.look().expect("as they were"));

    let second = authority.sign("localhost");
    authority.write(&second);
    assert!(identity.look().expect("fit"), "they are others");
    let now = shown(&greet(secured.address, &trust).await);
    assert_ne!(now, first);
    client.call::<SystemInfo>(&NoParams {}).await.expect("the old connection is open");

    let (certificate, _) = authority.files();
    std::fs::write(certificate, authority.sign("localhost").certificate).expect("written");
    let error = identity.look().expect_err("the key is another's").to_string();
    assert!(error.contains("server.key is not the key of the certificate in"), "{error}");
    assert!(!identity.look().expect("told once"));
    assert_eq!(shown(&greet(secured.address, &trust).await), now, "the old one is shown on");
    drop(client);
    secured.stop().await;
    served.stop().await;
}

/// A server that shows whatever certificate, fit or not.
async fn show(signed: &Signed) -> u16 {
    use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
    let chain = CertificateDer::pem_slice_iter(signed.certificate.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they fit");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The client ends it.
            acceptor.accept(stream).await.ok();
        }
    });
    port
}

#[tokio::test]
async fn whoever_cannot_show_that_it_is_the_one_gets_no_key_and_why_is_said() {
    let (authority, other) = (Authority::new(), Authority::new());
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(2999, 1, 1);
    for (signed, expected) in [
        (other.sign("localhost"), "ca_file=FILE"),
        (authority.sign("elsewhere.example"), "another name"),
        (authority.sign_with("localhost", expired), "has expired"),
        (authority.sign_with("localhost", early), "not valid yet"),
    ] {
        let url = format!("https://localhost:{}", show(&signed).await);
        let trust = authority.trust();
        let told = unreachable(Client::connect_as(None, Some(&trust), &url, DEADLINE).await);
        assert!(told.contains(expected), "{told}");
    }
    // Nor is it trusted by whoever asks the system.
    let url = format!("https://localhost:{}", show(&authority.sign("localhost")).await);
    assert!(unreachable(Client::connect(&url, DEADLINE).await).contains("--tls-ca"));
}

#[test]
fn files_that_are_no_good_are_named_and_why() {
    let authority = Authority::new();
    let (good, other) = (authority.sign("localhost"), authority.sign("localhost"));
    let expired =
        authority.sign_with("localhost", |params| params.not_after = date_time_ymd(2021, 1, 1));
    let with = |certificate: &str, key: &str| {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        let (certificate, key) = authority.write(&Signed { certificate, key });
        Identity::read(&certificate, &key).map(drop)
    };
    assert!(with(&good.certificate, &good.key).is_ok());
    for (certificate, key, file, why) in [
        ("", &*good.key, "server.pem", "holds no certificate"),
        (&*good.certificate, "", "server.key", "holds no private key"),
        (&*good.certificate, &*other.key, "server.key", "is not the key of the certificate"),
        (&*expired.certificate, &*expired.key, "server.pem", "has expired"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &*good.key,
            "server.pem",
            "read",
        ),
        ("-----BEGIN CERTIFICATE-----\n!!", &*good.key, "server.pem", "is not PEM"),
    ] {
        let error = with(certificate, key).expect_err("no good").to_string();
        assert!(error.contains(file) && error.contains(why), "{error}");
        assert!(!error.contains("BEGIN PRIVATE KEY-----\n"), "{error}");
    }
    let (certificate, _) = authority.files();
    let missing = certificate.with_file_name("none.key");
    let error = Identity::read(&certificate, &missing).expect_err("missing").to_string();
    assert!(error.contains("cannot read") && error.contains("none.key"), "{error}");
}

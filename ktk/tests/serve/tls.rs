//! A server that speaks TLS, asked by `ktk`.

use std::path::Path;

use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::process::Command;

use crate::ground::{Ground, KTK, serve, wait_until};

/// Writes an authority, and a certificate for `localhost` that it has signed, with its key.
fn certify(dir: &Path) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(dir.join("server.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.join("server.key"), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn ktk_talks_to_a_server_whose_authority_it_was_told_and_to_no_other() {
    let Some(ground) = Ground::start().await else { return };
    let dir = ground.path();
    certify(dir);
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (certificate, key, first) = (file("server.pem"), file("server.key"), file("admin.key"));
    let args = ["--first-key", &first, "--tls-cert", &certificate, "--tls-key", &key];
    let served = ground.serve("secured", &args).await;
    let url = served.document["endpoints"]["api"].as_str().unwrap();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let url = url.replace("127.0.0.1", "localhost");
    let key = std::fs::read_to_string(&first).unwrap();

    let ktk = async |ca: Option<&str>, url: &str, args: &[&str]| {
        let mut command = Command::new(KTK);
        command.args(args).env("KTK_API_URL", url).env("KTK_API_KEY", key.trim());
        command.env_remove("KTK_TLS_CA").args(ca.map(|ca| format!("--tls-ca={ca}")));
        let output = command.output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let ca = file("ca.pem");
    let look = ["get", "tasks"];
    wait_until("the key to open", async || ktk(Some(&ca), &url, &look).await.0 == Some(0)).await;
    let (_, stdout, stderr) = ktk(Some(&ca), &url, &["doctor"]).await;
    assert!(stdout.contains("readiness"), "{stdout}{stderr}");
    for (ca, url, why) in [
        (None, url.clone(), "--tls-ca FILE"),
        (Some(&*ca), url.replace("localhost", "127.0.0.1"), "for another name"),
        (Some(&*ca), url.replace("https", "http"), "400"),
    ] {
        let (code, stdout, stderr) = ktk(ca, &url, &look).await;
        assert_eq!((code, stdout.as_str()), (Some(8), ""), "{url}: {stderr}");
        assert!(stderr.contains(why), "{url}: {stderr}");
    }
    let (code, _, stderr) = ktk(Some("none.pem"), &url, &look).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("none.pem"), "{stderr}");

    served.send(Signal::SIGTERM);
    assert_eq!(served.exit_code().await, Some(0));
    ground.stop().await;
}

#[tokio::test]
async fn a_server_without_a_certificate_that_is_fit_does_not_start() {
    let dir = crate::ground::Dir::new();
    certify(dir.path());
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let servers =
        ["--nats-url", "nats://127.0.0.1:1", "--database-url", "postgres://127.0.0.1:1/a"];
    for (certificate, key, code, why) in [
        ("server.pem", "none.key", 1, "none.key"),
        ("ca.pem", "server.key", 1, "server.key is not the key of the certificate in"),
        ("server.key", "server.key", 1, "server.key holds no certificate"),
    ] {
        let (certificate, key) = (file(certificate), file(key));
        let args = [&servers[..], &["--tls-cert", &certificate, "--tls-key", &key]].concat();
        let output = serve(dir.path(), &args).output().await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
    }
    let certificate = file("server.pem");
    for args in [
        &["--tls-cert", &certificate][..],
        &["--tls-cert", &certificate, "--tls-key", &file("server.key"), "--plaintext"],
        &["--nats-nkey", &file("none.nk")],
        &["--nats-nkey", &certificate],
        &["--nats-creds", &certificate],
    ] {
        let output = serve(dir.path(), &[&servers[..], args].concat()).output().await.unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

use super::*;
use crate::testing::Server;

fn keys() -> SecretKeys {
    SecretKeys::new([SecretKey::draw().parse().unwrap()]).unwrap()
}

#[tokio::test]
async fn secrets_are_kept_sealed_and_the_last_one_set_counts() {
    let Some(server) = Server::start().await else { return };
    let (client, context) = server.ready().await;
    let secrets = Secrets::open(client, &context).await.unwrap();
    let keys = keys();
    let namespace = Namespace::default();
    let (name, at) = ("db.pass_word-1".parse().unwrap(), Timestamp::from_micros(1));
    let set = async |name: &SecretName, value: &str, if_revision| {
        let value = SecretValue::new(value).unwrap();
        secrets.set(&keys, &namespace, name, &value, "ann", at, if_revision).await
    };
    let missing = secrets.resolve(&keys, &namespace, &name).await.unwrap_err();
    assert!(missing.to_string().contains("ktk create secret db.pass_word-1"), "{missing}");

    let first = set(&name, "hunter2-first", Some(0)).await.unwrap();
    assert!(matches!(set(&name, "hunter2-x", Some(0)).await, Err(SecretError::Overtaken(_))));
    let second = set(&name, "hunter2-second", Some(first.revision)).await.unwrap();
    let late = set(&name, "hunter2-late", Some(first.revision)).await;
    assert!(matches!(late, Err(SecretError::Overtaken(_))), "{late:?}");
    let value = secrets.resolve(&keys, &namespace, &name).await.unwrap();
    assert_eq!(value.expose(), "hunter2-second");
    assert_eq!(secrets.get(&namespace, &name).await.unwrap(), Some(second.clone()));

    let other = "a".parse().unwrap();
    let third = set(&other, "hunter2-third", None).await.unwrap();
    assert_eq!(secrets.list(&namespace).await.unwrap(), [third, second]);
    let elsewhere: Namespace = "team".parse().unwrap();
    assert_eq!(secrets.list(&elsewhere).await.unwrap(), []);
    let foreign = secrets.resolve(&keys, &elsewhere, &name).await;
    assert!(matches!(foreign, Err(SecretError::Missing(_))), "{foreign:?}");

    let stored = secrets.bucket.get(subject::secret_key(&namespace, &name)).await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains("hunter2"));
    // Whoever may write to the bucket, and has no key, cannot give one secret's value to another.
    secrets.bucket.put(subject::secret_key(&elsewhere, &name), stored).await.unwrap();
    let moved = secrets.resolve(&keys, &elsewhere, &name).await;
    assert!(matches!(moved, Err(SecretError::Broken(_))), "{moved:?}");

    secrets.delete(&namespace, &name).await.unwrap();
    assert_eq!(secrets.get(&namespace, &name).await.unwrap(), None);
    assert_eq!(secrets.list(&namespace).await.unwrap().len(), 1);
    set(&name, "hunter2-again", Some(0)).await.unwrap();
}

#[tokio::test]
async fn more_secrets_than_one_page_holds_are_listed() {
    let Some(server) = Server::start().await else { return };
    let (client, context) = server.ready().await;
    let secrets = Secrets::open(client, &context).await.unwrap();
    let (keys, namespace) = (keys(), Namespace::default());
    let value = SecretValue::new("hunter2-hunter2").unwrap();
    for n in 0..PAGE + 3 {
        let name = format!("s{n:03}").parse().unwrap();
        let at = Timestamp::from_micros(1);
        secrets.set(&keys, &namespace, &name, &value, "ann", at, None).await.unwrap();
    }
    assert_eq!(secrets.list(&namespace).await.unwrap().len(), PAGE + 3);
}

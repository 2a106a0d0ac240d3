use super::*;

fn found(path: &str, recursive: bool) -> Result<Field, CommandError> {
    let mut names = path.split('.');
    let kind: Kind = names.next().unwrap().parse().unwrap();
    let schema = schema(kind);
    find(&Shapes::new(&schema), kind, names, recursive)
}

fn field<'a>(of: &'a Field, name: &str) -> &'a Field {
    let found = of.fields.iter().find(|field| field.name == name);
    found.unwrap_or_else(|| panic!("no {name}: {of:?}"))
}

#[test]
fn every_kind_has_fields_that_are_described() {
    for kind in Kind::all() {
        let of = found(kind.name(), true).unwrap();
        assert!(!of.fields.is_empty(), "{kind}");
        for field in &of.fields {
            assert!(!field.description.is_empty(), "{kind}.{}", field.name);
        }
        assert!(page::text(kind, &of).lines().count() > of.fields.len(), "{kind}");
    }
}

#[test]
fn variants_share_the_field_that_tells_them_apart() {
    let executable = found("specification.spec.executable", false).unwrap();
    let type_ = field(&executable, "type");
    assert_eq!(type_.values, ["process", "http", "rhai", "noop", "sleep"]);
    assert!(type_.required && type_.of.is_empty());
    let command = field(&executable, "command");
    assert_eq!((command.type_.as_str(), command.required), ("[]string", true));
    assert_eq!(command.of, ["type: process"]);
}

#[test]
fn maps_and_lists_are_passed_through() {
    let tasks = found("pl.spec.tasks", false).unwrap();
    assert_eq!(tasks.type_, "map[string]Step");
    assert!(tasks.required && field(&tasks, "use").required);
    let attempts = found("pipeline.spec.tasks.retry.attempts", false).unwrap();
    assert_eq!((attempts.type_.as_str(), attempts.default), ("integer", Some(1.into())));
}

#[test]
fn what_may_be_left_out_of_a_manifest_is_not_required() {
    let spec = found("specification.spec", false).unwrap();
    assert!(field(&spec, "executable").required);
    assert!(!field(&spec, "inputs").required);
    let status = found("task.status", false).unwrap();
    assert!(status.required && status.values.contains(&"cancelled".into()), "{status:?}");
}

#[test]
fn an_unknown_field_is_not_found_and_the_nearest_is_named() {
    let error = found("specification.spec.executible", false).unwrap_err();
    assert_eq!(error.exit, Exit::NotFound);
    let said = error.to_string();
    assert!(said.contains("did you mean \"executable\"?"), "{said}");
    assert!(said.ends_with("\ntry: ktk explain specification.spec"), "{said}");
    let error = found("task.created_at.year", false).unwrap_err().to_string();
    assert!(error.contains("it has no fields"), "{error}");
}

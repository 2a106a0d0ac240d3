//! Who may do what: roles, and the namespaces that they hold in.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Namespace, nearest};

/// What somebody may do. Each may do what those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks: lists, graphs, logs, events.
    Viewer,
    /// Runs what is defined, and stops, restarts, pauses and approves it.
    Operator,
    /// Defines: specifications, types, pipelines, policies.
    Developer,
    /// Looks after the whole: keys, read models, histories.
    Admin,
}

impl Role {
    /// All of them, the one who may least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Developer, Self::Admin];

    /// Its name, also on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Developer => "developer",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
            match nearest(text, Self::ALL.map(Self::name)) {
                Some(meant) => format!("there is no role {text:?}; did you mean {meant:?}?"),
                None => format!("the roles are {}", Self::ALL.map(Self::name).join(", ")),
            }
        })
    }
}

/// Where a role holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// In every namespace, and for what belongs to none.
    All,
    /// In these.
    Namespaces(Vec<Namespace>),
}

impl Reach {
    /// Whether it holds in `namespace`.
    pub fn holds(&self, namespace: &Namespace) -> bool {
        match self {
            Self::All => true,
            Self::Namespaces(namespaces) => namespaces.contains(namespace),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all namespaces"),
            Self::Namespaces(namespaces) => {
                let names: Vec<&str> = namespaces.iter().map(Namespace::as_str).collect();
                write!(f, "{}", names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_in_an_order_and_have_their_names() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).expect("JSON"), role.name());
        }
        assert!("amdin".parse::<Role>().is_err_and(|error| error.contains("\"admin\"")));
    }

    #[test]
    fn a_role_holds_where_it_was_given() {
        let name = |name: &str| name.parse::<Namespace>().expect("a name");
        let reach = Reach::Namespaces(vec![name("a"), name("b")]);
        assert!(reach.holds(&name("b")) && !reach.holds(&name("c")));
        assert!(Reach::All.holds(&name("c")));
    }
}

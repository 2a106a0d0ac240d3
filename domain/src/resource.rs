//! A resource that no task has custody of. The outputs of tasks are resolved on the subjects of
//! their custodians and have no events here.

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Datum, Decision, Envelope, Event, Kind, Reason, Rejection, Type,
    aggregate::cqrs_es_adapter,
};

/// The resource exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocated {
    /// What its value must be.
    #[serde(rename = "type")]
    pub type_: Type,
}

/// The resource has its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Initialized {
    /// The value.
    pub value: Datum,
}

/// The resource is not needed any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {}

/// What can be asked of a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Let it be.
    Allocate(Type),
    /// Give it its value, once.
    Initialize(Datum),
    /// Let go of it.
    Release,
}

/// A resource, folded from its subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// What its value must be; `None` while it does not exist.
    pub type_: Option<Type>,
    /// Its value.
    pub value: Option<Datum>,
    /// Whether it was let go of.
    pub released: bool,
}

impl Aggregate for Resource {
    const KIND: Kind = Kind::Resource;
    type Command = Command;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::ResourceAllocated(allocated) => self.type_ = Some(allocated.type_.clone()),
            Event::ResourceInitialized(initialized) => self.value = Some(initialized.value.clone()),
            Event::ResourceReleased(_) => self.released = true,
            _ => {}
        }
    }

    fn decide(&self, command: &Command, _: &Envelope) -> Decision {
        let Some(known) = &self.type_ else {
            return match command {
                Command::Allocate(type_) => {
                    Ok(Some(Event::ResourceAllocated(Allocated { type_: type_.clone() })))
                }
                // Outputs of tasks have derived ids and were never allocated: they end here.
                Command::Initialize(_) | Command::Release => Err(Rejection::new(
                    Reason::NotCustodian,
                    "no such resource was allocated; the output of a task is resolved by that task alone",
                )),
            };
        };
        let released = || Rejection::new(Reason::Terminal, "the resource was released");
        match command {
            Command::Allocate(type_) if type_ == known => Ok(None),
            Command::Allocate(_) => Err(Rejection::new(
                Reason::AlreadyExists,
                format!("the resource exists, and is {known}"),
            )),
            Command::Initialize(value) if self.value.as_ref() == Some(value) => Ok(None),
            Command::Initialize(_) if self.released => Err(released()),
            Command::Initialize(_) if self.value.is_some() => Err(Rejection::new(
                Reason::AlreadyExists,
                "the resource has another value already; a resource is resolved once",
            )),
            Command::Initialize(value) => {
                if let Datum::Value(value) = value {
                    known.check(value).map_err(|error| {
                        Rejection::new(Reason::Invalid, error.to_string()).field("value")
                    })?;
                }
                Ok(Some(Event::ResourceInitialized(Initialized { value: value.clone() })))
            }
            Command::Release if self.released => Ok(None),
            Command::Release => Ok(Some(Event::ResourceReleased(Released {}))),
        }
    }
}

cqrs_es_adapter!(Resource);

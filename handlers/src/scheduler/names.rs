//! Names that are told again and again, each kept once.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

/// A name, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Name(u32);

/// See the module.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Vec<Arc<str>>")]
pub(super) struct Names {
    names: Vec<Arc<str>>,
    places: HashMap<Arc<str>, Name>,
}

impl From<Vec<Arc<str>>> for Names {
    fn from(names: Vec<Arc<str>>) -> Self {
        let place = |(place, text): (usize, &Arc<str>)| (Arc::clone(text), Name(place as u32));
        Self { places: names.iter().enumerate().map(place).collect(), names }
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names.serialize(serializer)
    }
}

impl Names {
    pub(super) fn name(&mut self, text: &str) -> Name {
        if let Some(known) = self.places.get(text) {
            return *known;
        }
        // Four billion names do not fit into memory.
        let (name, text) = (Name(self.names.len() as u32), Arc::<str>::from(text));
        self.names.push(Arc::clone(&text));
        self.places.insert(text, name);
        name
    }

    pub(super) fn text(&self, Name(place): Name) -> &str {
        &self.names[place as usize]
    }
}

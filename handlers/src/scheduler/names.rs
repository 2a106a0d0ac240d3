//! Names that are told again and again, each kept once.

use std::{collections::HashMap, sync::Arc};

/// A name, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name(u32);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<Arc<str>>,
    places: HashMap<Arc<str>, Name>,
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

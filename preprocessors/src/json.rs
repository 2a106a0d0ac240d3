//! Values between JSON and scripts, without loss: what does not fit is an error, never changed.

use std::fmt;

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};

/// How deep a result may nest. The limit of JSON parsers is 128, and the result will be nested in
/// documents of ours.
const DEPTH_MAX: usize = 100;

/// Adds `parse_json(text)` and `value.to_json()` to the language.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn("parse_json", |text: &str| {
        let parsed = serde_json::from_str(text).map(|FromJson(value)| value);
        parsed.map_err(|error| Box::<EvalAltResult>::from(error.to_string()))
    });
    // Twice, because Rhai's own function for maps would be the nearer one.
    engine.register_fn("to_json", |map: &mut Map| text(&Dynamic::from_map(map.clone())));
    engine.register_fn("to_json", |value: Dynamic| text(&value));
}

fn text(value: &Dynamic) -> Result<String, Box<EvalAltResult>> {
    serde_json::to_string(&ToJson::new(value)).map_err(|error| error.to_string().into())
}

/// A script's value on its way out. Serialising fails on what JSON cannot say.
pub(crate) struct ToJson<'a> {
    value: &'a Dynamic,
    depth: usize,
}

impl<'a> ToJson<'a> {
    pub(crate) fn new(value: &'a Dynamic) -> Self {
        Self { value, depth: 0 }
    }

    fn within<E: serde::ser::Error>(&self, value: &'a Dynamic) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format!("it nests deeper than {DEPTH_MAX} levels")));
        }
        Ok(Self { value, depth: self.depth + 1 })
    }
}

impl Serialize for ToJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.value;
        if value.is_unit() {
            serializer.serialize_unit()
        } else if let Ok(int) = value.as_int() {
            serializer.serialize_i64(int)
        } else if let Ok(bool) = value.as_bool() {
            serializer.serialize_bool(bool)
        } else if let Ok(float) = value.as_float() {
            if !float.is_finite() {
                return Err(S::Error::custom(format!("JSON has no number for {float}")));
            }
            serializer.serialize_f64(float)
        } else if let Ok(char) = value.as_char() {
            serializer.serialize_char(char)
        } else if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
            serializer.serialize_str(&text)
        } else if let Some(array) = value.read_lock::<Array>() {
            let items: Result<Vec<_>, _> = array.iter().map(|item| self.within(item)).collect();
            serializer.collect_seq(items?)
        } else if let Some(map) = value.read_lock::<Map>() {
            let mut entries = serializer.serialize_map(Some(map.len()))?;
            for (key, value) in map.iter() {
                entries.serialize_entry(key.as_str(), &self.within::<S::Error>(value)?)?;
            }
            entries.end()
        } else {
            Err(S::Error::custom(format!(
                "JSON has no value for a {}; make it a string, a number, an array or a map",
                value.type_name()
            )))
        }
    }
}

/// A value on its way in. Deserialising fails on what a script would see changed.
pub(crate) struct FromJson(pub(crate) Dynamic);

impl<'de> Deserialize<'de> for FromJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(FromJson)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E: de::Error>(self, bool: bool) -> Result<Dynamic, E> {
        Ok(bool.into())
    }

    fn visit_i64<E: de::Error>(self, int: i64) -> Result<Dynamic, E> {
        Ok(int.into())
    }

    fn visit_u64<E: de::Error>(self, int: u64) -> Result<Dynamic, E> {
        // Rhai itself would round it to a float.
        i64::try_from(int).map(Dynamic::from).map_err(|_| {
            E::custom(format!(
                "{int} is beyond the integers of scripts (63 bits and a sign); pass it as a string"
            ))
        })
    }

    fn visit_f64<E: de::Error>(self, float: f64) -> Result<Dynamic, E> {
        Ok(float.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Dynamic, E> {
        Ok(text.into())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Dynamic, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Dynamic, A::Error> {
        let mut array = Array::new();
        while let Some(FromJson(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Dynamic, A::Error> {
        let mut map = Map::new();
        while let Some((key, FromJson(value))) = entries.next_entry::<String, _>()? {
            map.insert(key.into(), value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
mod tests {
    use super::*;

    #[track_caller]
    fn passes(json: &str) {
        let FromJson(value) = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&ToJson::new(&value)).unwrap(), json);
    }

    #[test]
    fn values_pass_unchanged() {
        passes(
            r#"{"a":[1,-2,2.0,0.1,1e+300,5e-324,31.245270191439438,true,null,"ü\n🦀",{}],"b":{"c":[]}}"#,
        );
        passes(&i64::MAX.to_string());
        passes(&i64::MIN.to_string());
    }

    #[test]
    fn an_integer_that_would_be_rounded_is_refused() {
        let error = serde_json::from_str::<FromJson>("[18446744073709551615]").err();
        assert!(error.unwrap().to_string().contains("18446744073709551615"));
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for value in [
            f64::NAN.into(),
            f64::INFINITY.into(),
            Dynamic::from_blob(vec![1]),
            Dynamic::from(rhai::FnPtr::new("f").unwrap()),
            Dynamic::from(0..3_i64),
        ] {
            assert!(serde_json::to_string(&ToJson::new(&value)).is_err());
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = |levels| (0..levels).fold(Dynamic::UNIT, |value, _| vec![value].into());
        assert!(serde_json::to_string(&ToJson::new(&deep(DEPTH_MAX))).is_ok());
        assert!(serde_json::to_string(&ToJson::new(&deep(DEPTH_MAX + 1))).is_err());
    }
}

//! A hive while it is changed: every change is noted down with its reason.

use crate::registry::edit::{EditError, Editor};
use crate::registry::{HiveError, Value, ValueType};
use std::collections::BTreeSet;

/// Why the hive cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistryError {
    #[error(transparent)]
    Read(#[from] HiveError),
    #[error(transparent)]
    Edit(#[from] EditError),
}

type Result<T> = std::result::Result<T, RegistryError>;

/// What a value is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Number(u32),
    Text(String),
    /// A text with `%variables%`.
    Expand(String),
    Texts(Vec<String>),
    Long(u64),
    Binary(Vec<u8>),
}

impl Data {
    fn kind(&self) -> ValueType {
        match self {
            Data::Number(_) => ValueType::Dword,
            Data::Text(_) => ValueType::String,
            Data::Expand(_) => ValueType::ExpandString,
            Data::Texts(_) => ValueType::MultiString,
            Data::Long(_) => ValueType::Qword,
            Data::Binary(_) => ValueType::Binary,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect() };
        match self {
            Data::Number(number) => number.to_le_bytes().to_vec(),
            Data::Text(text) | Data::Expand(text) => utf16(text),
            Data::Texts(texts) => {
                let mut bytes: Vec<u8> = texts.iter().flat_map(|text| utf16(text)).collect();
                bytes.extend([0, 0]);
                bytes
            }
            Data::Long(number) => number.to_le_bytes().to_vec(),
            Data::Binary(bytes) => bytes.clone(),
        }
    }

    fn words(&self) -> String {
        match self {
            Data::Number(number) => number.to_string(),
            Data::Text(text) | Data::Expand(text) => text.clone(),
            Data::Texts(texts) => texts.join(", "),
            Data::Long(number) => number.to_string(),
            Data::Binary(bytes) => hex(bytes),
        }
    }
}

/// A change, as it is told to a person.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) place: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) why: &'static str,
}

/// The hive. Paths are relative to its root: `ControlSet001\Services\atapi`.
#[derive(Clone)]
pub(super) struct Registry {
    /// The hive's name: `SYSTEM`.
    name: &'static str,
    editor: Editor,
    changes: Vec<Change>,
}

impl Registry {
    pub(super) fn new(name: &'static str, editor: Editor) -> Self {
        Registry {
            name,
            editor,
            changes: Vec::new(),
        }
    }

    /// The changed hive and what was changed.
    pub(super) fn finish(self) -> (Vec<u8>, Vec<Change>) {
        (self.editor.finish(), self.changes)
    }

    /// The names of all control sets: `ControlSet001`…
    pub(super) fn control_sets(&self) -> Result<Vec<String>> {
        let is_set = |name: &String| {
            let digits = name.get(10..).unwrap_or_default();
            let prefix = name.get(..10).unwrap_or_default();
            prefix.eq_ignore_ascii_case("ControlSet")
                && digits.len() == 3
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        Ok(self.subkeys("")?.into_iter().filter(is_set).collect())
    }

    /// The names of the subkeys of a key; none if there is no such key.
    pub(super) fn subkeys(&self, key: &str) -> Result<Vec<String>> {
        let hive = self.editor.hive();
        let Some(key) = hive.key(key)? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for subkey in key.subkeys() {
            names.push(subkey?.name()?);
        }
        Ok(names)
    }

    /// The names of the values of a key; none if there is no such key.
    pub(super) fn value_names(&self, key: &str) -> Result<Vec<String>> {
        let hive = self.editor.hive();
        let Some(key) = hive.key(key)? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for value in key.values()? {
            names.push(value?.name()?);
        }
        Ok(names)
    }

    pub(super) fn has_key(&self, key: &str) -> Result<bool> {
        Ok(self.editor.hive().key(key)?.is_some())
    }

    /// Whether the key is there and has a value of this name.
    pub(super) fn has_value(&self, key: &str, name: &str) -> Result<bool> {
        self.read(key, name, |_| Ok(()), |value| Ok(value.is_some()))
    }

    pub(super) fn number(&self, key: &str, name: &str) -> Result<Option<u64>> {
        self.read(key, name, |value| value.as_number(), |number| Ok(number.flatten()))
    }

    pub(super) fn text(&self, key: &str, name: &str) -> Result<Option<String>> {
        self.read(key, name, |value| value.as_string(), |text| Ok(text.flatten()))
    }

    /// Whether a value is a text in which nothing is expanded.
    pub(super) fn is_plain_text(&self, key: &str, name: &str) -> Result<bool> {
        self.read(
            key,
            name,
            |value| Ok(value.kind()),
            |kind| Ok(kind == Some(ValueType::String)),
        )
    }

    /// The texts of a multi-string; none if there is no such value.
    pub(super) fn texts(&self, key: &str, name: &str) -> Result<Vec<String>> {
        self.read(
            key,
            name,
            |value| value.as_strings(),
            |texts| Ok(texts.flatten().unwrap_or_default()),
        )
    }

    /// Every name in an `UpperFilters` or `LowerFilters` list at or below a key, in lower case.
    pub(super) fn filters_below(&self, key: &str) -> Result<BTreeSet<String>> {
        let hive = self.editor.hive();
        let mut names = BTreeSet::new();
        let mut keys: Vec<_> = hive.key(key)?.into_iter().map(|key| (0_u32, key)).collect();
        while let Some((depth, key)) = keys.pop() {
            for list in ["UpperFilters", "LowerFilters"] {
                if let Some(value) = key.value(list)? {
                    let texts = value.as_strings()?.unwrap_or_default();
                    names.extend(texts.into_iter().map(|text| text.to_lowercase()));
                }
            }
            // Class\{guid}\0000 and Enum\bus\device\instance: nothing deeper has filters.
            if depth < 3 {
                for subkey in key.subkeys() {
                    keys.push((depth.saturating_add(1), subkey?));
                }
            }
        }
        Ok(names)
    }

    /// The keys `bus\device\instance` below a key that have a list of filters, and the class that each belongs to.
    pub(super) fn filtered_devices(&self, key: &str) -> Result<Vec<(String, String)>> {
        let hive = self.editor.hive();
        let mut devices = Vec::new();
        let mut keys: Vec<_> = hive
            .key(key)?
            .into_iter()
            .map(|found| (0_u32, key.to_owned(), found))
            .collect();
        while let Some((depth, path, key)) = keys.pop() {
            if depth == 3 {
                let listed = key.value("UpperFilters")?.is_some() || key.value("LowerFilters")?.is_some();
                if let Some(class) = key.string("ClassGUID")?.filter(|_| listed) {
                    devices.push((path, class));
                }
                continue;
            }
            for subkey in key.subkeys() {
                let subkey = subkey?;
                let path = format!(r"{path}\{}", subkey.name()?);
                keys.push((depth.saturating_add(1), path, subkey));
            }
        }
        devices.sort_unstable();
        Ok(devices)
    }

    /// Reads a value, if it is there.
    fn read<T, U>(
        &self,
        key: &str,
        name: &str,
        decode: impl FnOnce(Value<'_>) -> std::result::Result<T, HiveError>,
        done: impl FnOnce(Option<T>) -> Result<U>,
    ) -> Result<U> {
        let hive = self.editor.hive();
        let value = match hive.key(key)? {
            Some(key) => key.value(name)?,
            None => None,
        };
        done(value.map(decode).transpose()?)
    }

    /// Sets a value of a key that is there, unless it is so already.
    pub(super) fn set(&mut self, key: &str, name: &str, data: &Data, why: &'static str) -> Result<()> {
        let wanted = (data.kind(), data.bytes());
        let before = self.read(
            key,
            name,
            |value| Ok(((value.kind(), value.data()?.into_owned()), words(value)?)),
            Ok,
        )?;
        if before.as_ref().is_some_and(|(before, _)| same(before, &wanted)) {
            return Ok(());
        }
        if self.editor.set_value(key, name, wanted.0, &wanted.1)? {
            let place = self.place(&format!("{key} {name}"));
            self.changes.push(Change {
                place,
                before: before.map(|(_, words)| words),
                after: Some(data.words()),
                why,
            });
        }
        Ok(())
    }

    /// Sets a number of a key that is there, unless it is so already.
    pub(super) fn set_number(&mut self, key: &str, name: &str, number: u32, why: &'static str) -> Result<()> {
        self.set(key, name, &Data::Number(number), why)
    }

    /// Adds a key with these values.
    pub(super) fn add_key(&mut self, key: &str, values: &[(&str, Data)], why: &'static str) -> Result<()> {
        self.editor.create_key(key)?;
        let mut words = Vec::new();
        for (name, data) in values {
            self.editor.set_value(key, name, data.kind(), &data.bytes())?;
            words.push(format!("{name} = {}", data.words()));
        }
        let place = self.place(key);
        self.changes.push(Change {
            place,
            before: None,
            after: Some(format!("a new key with {}", words.join(", "))),
            why,
        });
        Ok(())
    }

    /// Makes a key have these values, whether it is there or not.
    pub(super) fn ensure(&mut self, key: &str, values: &[(&str, Data)], why: &'static str) -> Result<()> {
        if !self.has_key(key)? {
            return self.add_key(key, values, why);
        }
        for (name, data) in values {
            self.set(key, name, data, why)?;
        }
        Ok(())
    }

    /// A place in the hive as it is told to a person.
    fn place(&self, inside: &str) -> String {
        format!(r"HKLM\{}\{inside}", self.name)
    }

    /// Takes names off a list; a list that would be empty goes away.
    pub(super) fn unlist(&mut self, key: &str, name: &str, unwanted: &[&str], why: &'static str) -> Result<()> {
        let before = self.texts(key, name)?;
        let is_unwanted = |text: &String| unwanted.iter().any(|name| name.eq_ignore_ascii_case(text));
        let after: Vec<String> = before.iter().filter(|text| !is_unwanted(text)).cloned().collect();
        if after.len() == before.len() {
            return Ok(());
        }
        if !after.is_empty() {
            return self.set(key, name, &Data::Texts(after), why);
        }
        if self.editor.delete_value(key, name)? {
            let place = self.place(&format!("{key} {name}"));
            self.changes.push(Change {
                place,
                before: Some(before.join(", ")),
                after: None,
                why,
            });
        }
        Ok(())
    }
}

/// Whether two values mean the same. Windows itself writes strings with and without a NUL at the end.
fn same(one: &(ValueType, Vec<u8>), other: &(ValueType, Vec<u8>)) -> bool {
    let trimmed = |bytes: &[u8]| -> Vec<[u8; 2]> {
        let mut units = bytes.as_chunks().0.to_vec();
        while units.last() == Some(&[0, 0]) {
            units.pop();
        }
        units
    };
    let is_text = matches!(one.0, ValueType::String | ValueType::ExpandString);
    one.0 == other.0 && (one.1 == other.1 || is_text && trimmed(&one.1) == trimmed(&other.1))
}

/// A value in words.
fn words(value: Value<'_>) -> std::result::Result<String, HiveError> {
    if let Some(number) = value.as_number()? {
        return Ok(number.to_string());
    }
    if let Some(text) = value.as_string()? {
        return Ok(text);
    }
    if let Some(texts) = value.as_strings()? {
        return Ok(texts.join(", "));
    }
    Ok(hex(&value.data()?))
}

/// The first bytes of binary data.
fn hex(data: &[u8]) -> String {
    let bytes: Vec<String> = data.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

//! A hive as a tree, read from what libhivex prints, to say what it should print after an edit.

use std::fmt::Write;

/// A key. Subkeys and values are in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    name: String,
    time: String,
    values: Vec<Value>,
    subkeys: Vec<Model>,
}

#[derive(Clone, Debug)]
struct Value {
    name: String,
    /// As it is printed.
    kind: u32,
    data: String,
}

/// The registry's order of names, as far as our names need it.
fn upper(name: &str) -> Vec<u16> {
    let upper = name.chars().flat_map(|c| match c {
        'ß' => vec![c],
        c => c.to_uppercase().collect(),
    });
    upper.collect::<String>().encode_utf16().collect()
}

pub(crate) fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('\\').filter(|part| !part.is_empty())
}

impl Model {
    /// From the lines that `dump_hive.py` prints.
    pub(crate) fn parse(dump: &str) -> Self {
        let mut root = Model::default();
        for line in dump.lines() {
            match *line.split('\t').collect::<Vec<_>>() {
                ["key", path, time] => {
                    let (above, name) = path.rsplit_once('\\').unwrap_or_default();
                    let key = Model {
                        name: name.to_owned(),
                        time: time.to_owned(),
                        ..Model::default()
                    };
                    match path {
                        "" => root = key,
                        _ => root.find(above).unwrap().subkeys.push(key),
                    }
                }
                ["value", path, name, kind, data] => root.find(path).unwrap().values.push(Value {
                    name: name.to_owned(),
                    kind: kind.parse().unwrap(),
                    data: data.to_owned(),
                }),
                _ => panic!("{line:?}"),
            }
        }
        root
    }

    /// The same lines.
    pub(crate) fn print(&self) -> String {
        let mut text = String::new();
        self.print_below("", &mut text);
        text
    }

    fn print_below(&self, path: &str, text: &mut String) {
        writeln!(text, "key\t{path}\t{}", self.time).unwrap();
        for Value { name, kind, data } in &self.values {
            writeln!(text, "value\t{path}\t{name}\t{kind}\t{data}").unwrap();
        }
        for key in &self.subkeys {
            key.print_below(&format!("{path}\\{}", key.name), text);
        }
    }

    /// The key at `path`, whatever the case.
    pub(crate) fn find(&mut self, path: &str) -> Option<&mut Model> {
        let mut here = self;
        for part in parts(path) {
            let below = &mut here.subkeys;
            here = below.iter_mut().find(|key| upper(&key.name) == upper(part))?;
        }
        Some(here)
    }

    /// How many keys there are, with this one.
    pub(crate) fn keys(&self) -> usize {
        1 + self.subkeys.iter().map(Model::keys).sum::<usize>()
    }

    /// Sets a value; whether that changes anything. `None` if there is no such key.
    pub(crate) fn set(&mut self, path: &str, name: &str, kind: u32, data: &[u8]) -> Option<bool> {
        let key = self.find(path)?;
        let data = hex(data);
        let found = key.values.iter_mut().find(|value| upper(&value.name) == upper(name));
        match found {
            Some(value) if (value.kind, &value.data) == (kind, &data) => return Some(false),
            Some(value) => (value.kind, value.data) = (kind, data),
            None => key.values.push(Value {
                name: name.to_owned(),
                kind,
                data,
            }),
        }
        Some(true)
    }

    /// Deletes a value; whether there was one.
    pub(crate) fn delete(&mut self, path: &str, name: &str) -> bool {
        let Some(key) = self.find(path) else { return false };
        let before = key.values.len();
        key.values.retain(|value| upper(&value.name) != upper(name));
        key.values.len() < before
    }

    /// Creates a key and those above it; whether it was missing. New keys have the time of the key above them.
    pub(crate) fn create(&mut self, path: &str) -> bool {
        let mut here = self;
        let mut created = false;
        for part in parts(path) {
            let same = |key: &Model| upper(&key.name) == upper(part);
            if !here.subkeys.iter().any(same) {
                created = true;
                let place = here
                    .subkeys
                    .iter()
                    .take_while(|key| upper(&key.name) < upper(part))
                    .count();
                let key = Model {
                    name: part.to_owned(),
                    time: here.time.clone(),
                    ..Model::default()
                };
                here.subkeys.insert(place, key);
            }
            here = here.subkeys.iter_mut().find(|key| same(key)).unwrap();
        }
        created
    }
}

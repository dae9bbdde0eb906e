//! Unit tests of the editor on a hive that it makes by itself.

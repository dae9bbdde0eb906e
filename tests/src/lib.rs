//! Recipes that make disks, words for guest tests.
#![forbid(unsafe_code)]

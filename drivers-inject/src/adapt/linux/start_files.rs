//! stub
use super::Linux;
use super::boot::Menus;
use super::menus::Loader;
pub(super) fn edit(_linux: &mut Linux<'_>, _menus: &mut Menus, _loader: &Loader) {}

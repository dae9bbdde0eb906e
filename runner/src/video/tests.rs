//! The adapter driven through its ports and its window, as a VGA BIOS does.

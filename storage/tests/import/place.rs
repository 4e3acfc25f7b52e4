//! Where the datasets of these tests lie.

use std::path::Path;

use hyperseg_storage::Location;

pub fn location(dir: &Path) -> Location {
    dir.into()
}

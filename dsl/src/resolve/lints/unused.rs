//! Declarations that no segment uses.

use crate::diagnostic::{Diagnostic, codes};
use crate::resolve::body::Uses;
use crate::resolve::declarations::Declarations;

pub(in crate::resolve) fn unused(all: &Declarations<'_>, uses: &Uses, findings: &mut Vec<Diagnostic>) {
    let valuesets =
        all.valuesets.values().map(|it| (&it.name, "value set", uses.valuesets.contains(&it.name.name)));
    let params = all.params.values().map(|it| (&it.name, "parameter", uses.params.contains(&it.name.name)));
    let defines = all.defines.values().map(|it| (&it.name, "define", uses.defines.contains(&it.name.name)));
    for (name, what, used) in valuesets.chain(params).chain(defines) {
        if !used {
            let message = format!("{what} `{}` is not used by any segment of this file", name.name);
            findings
                .push(Diagnostic::new(&codes::UNUSED, name.span, message).help("use it, or leave it out"));
        }
    }
}

//! Several lists for one column, kept apart from each other.
//!
//! DataFusion's simplifier makes one list of two that are joined: `x in (1) and x in (2)` becomes FALSE, and `x not in
//! (1) or x not in (2)` TRUE, also where `x` is null and the answer is UNKNOWN. It does so only for lists over equal
//! expressions, and the same column under two names is not equal.

use std::collections::HashMap;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::Expr;

/// The same expression, with a name of its own for every column with a list but the first time.
pub(super) fn kept_apart(expr: Expr) -> Result<Expr> {
    let mut seen: HashMap<Expr, usize> = HashMap::new();
    let named = expr.transform_up(|node| {
        let Expr::InList(mut list) = node else { return Ok(Transformed::no(node)) };
        let times = seen.entry((*list.expr).clone()).or_insert(0);
        *times += 1;
        if *times == 1 {
            return Ok(Transformed::no(Expr::InList(list)));
        }
        let name = format!("list {times}");
        *list.expr = list.expr.alias(name);
        Ok(Transformed::yes(Expr::InList(list)))
    })?;
    Ok(named.data)
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn the_second_list_of_a_column_has_another_name() {
        let list = |name: &str, value: i32| col(name).in_list(vec![lit(value)], false);
        let expr = list("a", 1).and(list("b", 2)).or(list("a", 3).not_eq(list("a", 4)));
        let kept = kept_apart(expr.clone()).unwrap().to_string();
        assert_eq!(kept.matches("list 2").count(), 1, "{kept}");
        assert_eq!(kept.matches("list 3").count(), 1, "{kept}");
        assert_eq!(kept_apart(expr.clone()).unwrap(), kept_apart(expr).unwrap());
        assert_eq!(kept_apart(list("a", 1)).unwrap(), list("a", 1));
    }
}

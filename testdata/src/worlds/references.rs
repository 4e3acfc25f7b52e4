//! Random references to other segments.

use hyperseg_dsl::segment::{Asks, ContactTest, Criteria, Logic, Reference, Window};

use super::criteria::Maker;

/// Most segments that the criteria of one segment name.
const TARGETS_MAX: usize = 4;

impl Maker<'_> {
    /// Those in a segment, those who entered it or those in a stage: a new one, or one that was named before.
    pub(super) fn reference(&mut self) -> Criteria {
        if self.dice.percent(30) {
            return self.stage();
        }
        let again = self.dice.percent(40);
        let known = if again { self.dice.pick(&self.targets).cloned() } else { None };
        let target = match known {
            Some(known) => known,
            None if self.targets.len() < TARGETS_MAX => self.target(),
            None => return Logic::True,
        };
        let asks = if self.dice.percent(50) { Asks::InSegment } else { Asks::Entered(self.entry()) };
        Logic::Leaf(ContactTest::Reference(Box::new(Reference { asks, ..target })))
    }

    fn stage(&mut self) -> Criteria {
        if self.stages.is_empty() {
            self.fixed = true;
            for _ in 0..2 + self.dice.below(3) {
                let depth = self.dice.below(2);
                let stage = self.criteria(depth);
                self.stages.push(stage);
            }
            self.fixed = false;
        }
        let place = self.dice.below(self.stages.len());
        let mut without = self.stages.clone();
        without.truncate(place + 1);
        let Some(test) = without.pop() else { return Logic::True };
        let (name, asks) = (format!("stage{}", place + 1), Asks::InStage);
        Logic::Leaf(ContactTest::Reference(Box::new(Reference { name, asks, test, without })))
    }

    fn target(&mut self) -> Reference {
        let depth = self.dice.below(2);
        let test = self.criteria(depth);
        let without = if self.dice.percent(40) { vec![self.criteria(0)] } else { Vec::new() };
        // What was drawn inside may have taken a name.
        let name = format!("target{}", self.targets.len() + 1);
        let target = Reference { name, asks: Asks::InSegment, test, without };
        self.targets.push(target.clone());
        target
    }

    /// A window that begins on a day.
    fn entry(&mut self) -> Window {
        loop {
            let params = self.params.len();
            match self.window(false) {
                window @ Window::InLast(_) => return window,
                // It begins on one day for all.
                Window::Since(day) if day.field().is_none() => return Window::Since(day),
                // A parameter of a window that is not used is not used either.
                Window::InNext(_)
                | Window::MoreThanAgo(_)
                | Window::BetweenAgo(_, _)
                | Window::Since(_)
                | Window::Before(_)
                | Window::After(_)
                | Window::On(_)
                | Window::Between(_, _)
                | Window::Calendar(_, _) => self.params.truncate(params),
            }
        }
    }
}

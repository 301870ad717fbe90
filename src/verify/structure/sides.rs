//! Both models, numbered.

use super::numbering::Numbering;
use super::shared::Shared;

pub(super) struct Sides<'a, 'm> {
    pub shared: &'a Shared<'m>,
    pub before: &'a Numbering<'m>,
    pub after: &'a Numbering<'m>,
}

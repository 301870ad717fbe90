//! Reading a body: its words and signs, and the expressions that bodies share.

/// Expressions with a name, for bodies.
pub(super) const LIBRARY: &str = "
    size(x, axis) = Gather(Shape(x), axis)
    scalar(x) = Reshape(CastLike(x, 0i), [])
    count(n) = Range(0i, scalar(n), 1i)
    logistic(x) = Div(1, Add(Exp(Neg(x)), 1))
    inverse(x, epsilon) = Reciprocal(Sqrt(Add(ReduceMean(Mul(x, x), [-1]), CastLike(epsilon, x))))
    backwards(x, axis) = Gather(x, Sub(Sub(size(x, axis), [1]), count(size(x, axis)))){axis=@layout}
    unit(query) = Reciprocal(Sqrt(CastLike(size(query, [3]), query)))
    heads(x, shape) = Transpose(Reshape(x, shape)){perm=[0, 2, 1, 3]}
    joined(x) = Reshape(Transpose(x){perm=[0, 2, 1, 3]}, [0, 0, -1])
    later(query, key, past) = Less(Add(Reshape(count(size(query, [2])), [-1, 1]), past), count(size(key, [2])))
    shown(lengths, key) = Less(count(size(key, [2])), Reshape(CastLike(lengths, 0i), [-1, 1, 1, 1]))
    grouped(x, query) = Reshape(
        Expand(
            Unsqueeze(x, [2]),
            Concat(size(x, [0, 1]), Div(size(query, [1]), size(x, [1])), size(x, [2, 3])){axis=0}),
        Concat(size(x, [0]), size(query, [1]), size(x, [2, 3])){axis=0})
";

/// The rest of a text.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t>(pub(super) &'t str);

impl<'t> Cursor<'t> {
    /// Takes characters that fit.
    pub(super) fn take(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let rest = self.0.trim_start();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let (taken, rest) = rest.split_at(end);
        self.0 = rest;
        taken
    }

    /// Takes a sign if it is next.
    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(sign);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    pub(super) fn word(&mut self) -> &'t str {
        self.take(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    }

    /// A number with its suffix.
    pub(super) fn number(&mut self) -> &'t str {
        self.take(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
    }

    /// Takes the rest of a statement.
    pub(super) fn skip(&mut self) {
        let mut depth = 0;
        let end = self.0.find(|c| {
            depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
            c == '\n' && depth == 0
        });
        self.0 = &self.0[end.unwrap_or(self.0.len())..];
    }
}

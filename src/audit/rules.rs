//! The rules of an audit, each with a check, a level and a page of documentation.

mod active_dropout;
mod analysis_limit;
mod batchnorm_training;
mod bernoulli_ambiguity;
mod dropout_before_batchnorm;
mod dropout_on_output;
mod folded_weight;
mod frozen_mask;
mod invalid_dropout;
mod invalid_rate;
mod leftover_dropout;
mod lost_rate;
mod mask_used;
mod random_outside_dropout;
mod runtime_dropout;
mod shared_seed;
mod unknown_operator;
mod unloadable_random;
mod unscaled_mask;
mod unsound_model;
mod unusual_rate;
mod zeroed_weight;

use std::borrow::Cow;
use std::fmt::Write;

use super::finding::BETWEEN;
use super::fingerprint::Fingerprints;
use super::site_record::Scopes;
use super::{Finding, Level};
use crate::dropout::{Findings, Kind, Limit, Mode, Problem, RandomOperator, Site};
use crate::hash::HashMap;
use crate::onnx::{Flaw, GraphId, Model, NodeId};
use crate::semantics::facts::Facts;
use crate::semantics::view::{ValueRef, View};

/// A rule. A new one is one file and one line in [`RULES`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rule {
    /// The name, after the problem rather than the remedy.
    pub name: &'static str,
    /// The level of its findings, unless a [`super::Selection`] overrides it.
    pub level: Level,
    /// The documentation, with a space before each line.
    doc: &'static str,
    check: fn(&Context<'_>) -> Vec<Found>,
}

/// Every rule.
pub const RULES: &[Rule] = &[
    active_dropout::RULE,
    runtime_dropout::RULE,
    frozen_mask::RULE,
    zeroed_weight::RULE,
    folded_weight::RULE,
    leftover_dropout::RULE,
    invalid_rate::RULE,
    invalid_dropout::RULE,
    unsound_model::RULE,
    analysis_limit::RULE,
    lost_rate::RULE,
    unusual_rate::RULE,
    unscaled_mask::RULE,
    mask_used::RULE,
    shared_seed::RULE,
    dropout_on_output::RULE,
    dropout_before_batchnorm::RULE,
    batchnorm_training::RULE,
    unloadable_random::RULE,
    bernoulli_ambiguity::RULE,
    random_outside_dropout::RULE,
    unknown_operator::RULE,
];

/// A rule of a file: its page as a doc comment, then its name, its level and its check.
macro_rules! rule {
    ($(#[doc = $line:literal])* $name:literal, $level:ident, $check:path) => {
        $(#[doc = $line])*
        pub(super) const RULE: super::Rule = super::Rule {
            name: $name,
            level: crate::audit::Level::$level,
            doc: concat!($($line, "\n"),*),
            check: $check,
        };
    };
}
use rule;

impl Rule {
    /// A summary in one line.
    pub fn summary(&self) -> &'static str {
        self.doc.lines().next().unwrap_or_default().trim()
    }

    /// What to do about a finding: the first sentence of that section of the page.
    pub fn help(&self) -> String {
        let (_, section) = self.doc.split_once("## What to do").unwrap_or_default();
        let words: Vec<&str> = section.split_whitespace().collect();
        let text = words.join(" ");
        match text.split_once(". ") {
            Some((first, _)) => first.to_string(),
            None => text.trim_end_matches('.').to_string(),
        }
    }

    /// The page in Markdown: what it finds, why it matters, an example, what to do.
    pub fn page(&self) -> String {
        let mut page = format!("# {} ({})\n\n", self.name, self.level);
        for line in self.doc.lines() {
            let _ = writeln!(page, "{}", line.strip_prefix(' ').unwrap_or(line));
        }
        page
    }
}

/// The pages of all rules after a table of them, in Markdown.
pub fn handbook() -> String {
    let mut book = "# Rules\n\nThe rules of `dropout-onnx audit`. `--deny RULE` reports a rule as an \
                    error, `--allow RULE`\ndisables it, and `--select RULE` runs only the rules \
                    named; `--explain RULE` prints its page.\nA `dropout-onnx.toml` sets the same for \
                    the models next to and below it, and lists accepted\ndropout \
                    ([configuration](configuration.md)).\n\n\
                    | rule | level | what it finds |\n|---|---|---|\n"
        .to_string();
    for rule in RULES {
        let (name, level, summary) = (rule.name, rule.level, rule.summary());
        let _ = writeln!(book, "| [{name}](#{name}-{level}) | {level} | {summary} |");
    }
    for rule in RULES {
        let page = rule.page().replace("\n## ", "\n### ");
        let _ = write!(book, "\n#{page}");
    }
    book
}

/// The input of a rule.
pub(super) struct Context<'m> {
    model: &'m Model,
    view: View<'m>,
    facts: Facts<'m>,
    sites: &'m [Site],
    /// Where the search for dropout stopped early.
    limits: &'m [Limit],
    /// Random operators that are not part of a dropout.
    random: &'m [RandomOperator],
    /// Why the model is not sound.
    flaws: &'m [Flaw],
    /// Whether rules may read weights.
    reads_weights: bool,
    /// The site that a node is part of.
    site_of: HashMap<NodeId, &'m Site>,
}

/// A finding of a rule.
struct Found {
    graph: GraphId,
    /// The node it is about; some findings are about a graph.
    node: Option<NodeId>,
    site: Option<usize>,
    /// Where the place is more than that of the node.
    place: Option<String>,
    /// The message, without the place.
    what: Cow<'static, str>,
}

impl<'m> Context<'m> {
    /// `found` and `flaws`: all of the model's.
    pub fn new(
        facts: Facts<'m>,
        found: &'m Findings,
        flaws: &'m [Flaw],
        reads_weights: bool,
    ) -> Self {
        let view = facts.view();
        let nodes = found.sites.iter().rev();
        let nodes = nodes.flat_map(|site| site.nodes.iter().map(move |&node| (node, site)));
        Context {
            model: view.model,
            view,
            facts,
            sites: &found.sites,
            limits: &found.limits,
            random: &found.random,
            flaws,
            reads_weights,
            site_of: nodes.collect(),
        }
    }

    /// The findings of the rules that have a level, in the order of nodes.
    pub fn check(
        &self,
        level: impl Fn(&Rule) -> Option<Level>,
        prints: &mut Fingerprints<'_>,
    ) -> Vec<Finding> {
        let mut scopes = Scopes::new(self.model);
        let mut findings = Vec::new();
        for rule in RULES {
            let Some(level) = level(rule) else {
                continue;
            };
            let found = (rule.check)(self).into_iter().map(|found| {
                let at = (found.graph, found.node);
                (at, self.finding(rule, level, found, prints, &mut scopes))
            });
            findings.extend(found);
        }
        findings.sort_by_key(|(at, _)| *at);
        let findings = findings.into_iter().map(|(_, finding)| finding);
        findings.collect()
    }

    fn finding(
        &self,
        rule: &Rule,
        level: Level,
        found: Found,
        prints: &mut Fingerprints<'_>,
        scopes: &mut Scopes<'_>,
    ) -> Finding {
        let site = found.site.and_then(|id| self.sites.get(id));
        let scope = scopes.name(found.graph);
        let at = || Some(self.model.place_in(&scope.to_text(), found.node?));
        let place = found.place.or_else(at);
        let place = place.unwrap_or_else(|| scope.to_string());
        Finding {
            rule: rule.name,
            level,
            site: found.site,
            fingerprint: match (site, found.node) {
                (Some(site), _) => prints.site(site),
                (None, Some(node)) => prints.node(node),
                (None, None) => prints.graph(found.graph),
            },
            allowed: None,
            baseline: None,
            message: [&*place, BETWEEN, &*found.what].concat(),
            place: place.len(),
            scope,
            node: found.node.map(|node| self.model.label(node)),
        }
    }

    /// Sites without a problem; the others are for the rules about invalid dropout.
    fn sound(&self) -> impl Iterator<Item = &'m Site> + use<'m> {
        self.sites.iter().filter(|site| site.problem.is_none())
    }

    /// Sites with a problem.
    fn problems(&self) -> impl Iterator<Item = (&'m Site, &'m Problem)> + use<'m> {
        let sites = self.sites.iter();
        sites.filter_map(|site| Some((site, site.problem.as_deref()?)))
    }

    fn at_site(&self, site: &Site, what: impl Into<Cow<'static, str>>) -> Found {
        Found {
            site: Some(site.id),
            ..self.at_node(site.nodes[0], what)
        }
    }

    fn at_node(&self, node: NodeId, what: impl Into<Cow<'static, str>>) -> Found {
        Found {
            graph: node.graph,
            node: Some(node),
            site: self.site_of.get(&node).map(|site| site.id),
            place: None,
            what: what.into(),
        }
    }
}

/// The values that a site produces.
fn outputs<'c>(context: &'c Context<'_>, site: &'c Site) -> impl Iterator<Item = ValueRef<'c>> {
    let junctions = site.junctions.iter().map(|junction| junction.output);
    let outputs = junctions.chain(site.output.filter(|_| site.junctions.is_empty()));
    outputs.map(|output| context.view.value(output))
}

/// True if a dropout can change the outputs of the model.
fn acts(site: &Site) -> bool {
    site.mode != Mode::Inert
}

/// The effect of a dropout on its data, as a verb.
fn verb(kind: Kind) -> &'static str {
    match kind {
        Kind::Dropout | Kind::AlphaDropout => "drops",
        Kind::GaussianDropout => "multiplies by noise",
        Kind::GaussianNoise => "adds noise",
    }
}

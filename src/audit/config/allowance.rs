//! Accepted dropout, with a reason and an optional expiry date.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use globset::GlobSet;

use super::Day;
use crate::audit::{
    Allowed, Finding, Fingerprint, Level, ModelAudit, RULES, Remark, Selection, SiteRecord, rule,
};
use crate::onnx::Name;

/// An allowance. All of its criteria must match.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Allowance {
    /// The pattern of a layer, and what it matches.
    pub(super) layer: Option<(String, GlobSet)>,
    pub(super) fingerprint: Option<String>,
    pub(super) reason: String,
    pub(super) expires: Option<Day>,
    pub(super) rules: Option<Vec<&'static str>>,
    pub(super) models: Option<Vec<GlobSet>>,
    pub(super) count: Option<NonZeroUsize>,
    /// Its position in the file.
    pub(super) line: usize,
}

/// The effect of an allowance in a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Usage {
    /// It is not for this model, the model could not be audited, or rules that it is about were left
    /// out: unknown.
    Unknown,
    /// It matches nothing.
    Unused,
    /// It was applied, or would be if it had not expired.
    Used {
        /// The model.
        path: String,
        /// Findings it allows.
        findings: usize,
        /// Places it allows, or would.
        allowed: usize,
        /// Places that match.
        matching: usize,
    },
}

/// A place: a site, or a node that is not part of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Site(usize),
    Node(Name, Option<Name>),
}

impl Allowance {
    /// Why it is there.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The last day on which it holds, in UTC.
    pub fn expires(&self) -> Option<Day> {
        self.expires
    }

    /// The line of the file where it begins.
    pub fn line(&self) -> usize {
        self.line
    }

    /// True of a day after the last one.
    pub fn has_expired(&self, today: Day) -> bool {
        self.expires.is_some_and(|last| today > last)
    }

    /// See [`super::Config::apply`].
    pub(super) fn apply(
        &self,
        path: &str,
        model: &mut ModelAudit,
        rules: &Selection,
        today: Day,
    ) -> Usage {
        let models = self.models.iter().flatten();
        let ours = self.models.is_none() || models.into_iter().any(|glob| glob.is_match(path));
        if model.error.is_some() || !ours {
            return Usage::Unknown;
        }
        let findings = model.findings.iter().enumerate();
        let matching: Vec<(usize, Place)> = findings
            .filter(|(_, finding)| self.covers(model, finding))
            .map(|(index, finding)| (index, place(finding)))
            .collect();
        if matching.is_empty() {
            // what it is about may be there, and its finding left out
            let there = model.sites.iter().any(|site| self.is_about(site));
            return match there && !self.all_told(rules) {
                true => Usage::Unknown,
                false => Usage::Unused,
            };
        }
        let mut places: Vec<&Place> = Vec::new();
        let mut seen = BTreeSet::new();
        places.extend(
            matching
                .iter()
                .map(|(_, place)| place)
                .filter(|p| seen.insert(*p)),
        );
        let most = match (self.count, &self.layer) {
            (Some(count), _) => count.get(),
            (None, Some(_)) => usize::MAX,
            (None, None) => 1,
        };
        let allowed: BTreeSet<&Place> = places.iter().take(most).copied().collect();
        let holds = !self.has_expired(today);
        let mut count = 0;
        for (index, place) in &matching {
            if allowed.contains(place) {
                count += 1;
                if holds {
                    model.findings[*index].allowed = Some(Box::new(self.allowed()));
                }
            }
        }
        Usage::Used {
            path: model.path.clone(),
            findings: count,
            allowed: allowed.len(),
            matching: places.len(),
        }
    }

    fn covers(&self, model: &ModelAudit, finding: &Finding) -> bool {
        let site = finding.site.and_then(|id| model.sites.get(id));
        let about = match site {
            Some(site) => self.is_about(site),
            None => self.layer.is_none() && self.has_print(Some(finding.fingerprint)),
        };
        let rules = self.rules.as_ref();
        about
            && finding.allowed.is_none()
            && rules.is_none_or(|rules| rules.contains(&finding.rule))
    }

    fn is_about(&self, site: &SiteRecord) -> bool {
        let layer = site.layer.as_deref();
        let matches = |glob: &GlobSet| layer.is_some_and(|layer| glob.is_match(layer));
        self.layer.as_ref().is_none_or(|(_, glob)| matches(glob))
            && self.has_print(site.fingerprint)
    }

    fn has_print(&self, print: Option<Fingerprint>) -> bool {
        let own = self.fingerprint.as_ref();
        own.is_none_or(|own| print.is_some_and(|print| *own == print.to_string()))
    }

    /// True if no rule that it is about was left out.
    fn all_told(&self, rules: &Selection) -> bool {
        let told = |name: &str| rule(name).is_ok_and(|rule| rules.level(rule).is_some());
        match &self.rules {
            Some(names) => names.iter().all(|name| told(name)),
            None => RULES.iter().all(|rule| told(rule.name)),
        }
    }

    fn allowed(&self) -> Allowed {
        Allowed {
            reason: self.reason.clone(),
            expires: self.expires.map(|day| day.to_string()),
        }
    }

    /// See [`super::Config::remarks`].
    pub(super) fn remark(&self, file: &str, usages: &[&Usage], today: Day) -> Option<Remark> {
        let what = self.what();
        let mut told = 0;
        let mut beyond = None;
        for usage in usages {
            if let Usage::Used {
                path,
                findings,
                allowed,
                matching,
            } = usage
            {
                told += findings;
                if allowed < matching {
                    beyond = beyond.or(Some((path, allowed, matching)));
                }
            }
        }
        let expired = self.expires.filter(|_| self.has_expired(today));
        let (name, level, message) = if let (Some(day), 1..) = (expired, told) {
            let findings = match told {
                1 => "a finding is".to_string(),
                many => format!("{many} findings are"),
            };
            let message =
                format!("the allowance of {what} expired after {day}: {findings} reported again");
            ("expired-allowance", Level::Warning, message)
        } else if let Some((path, allowed, matching)) = beyond {
            let message = format!(
                "the allowance of {what} covers {allowed} of {matching} places in {path}; \
                 `count = {matching}` covers all of them"
            );
            ("exceeded-allowance", Level::Note, message)
        } else if told == 0 && usages.iter().any(|usage| **usage == Usage::Unused) {
            // a model that it is about may be among those of which nothing is known
            if usages
                .iter()
                .any(|usage| matches!(usage, Usage::Used { .. }))
            {
                return None;
            }
            let expired = expired.map_or(String::new(), |day| format!(", and expired after {day}"));
            let message = format!("the allowance of {what} matches nothing{expired}");
            ("unused-allowance", Level::Note, message)
        } else {
            return None;
        };
        Some(Remark {
            name,
            level,
            path: file.to_string(),
            line: Some(self.line),
            message,
        })
    }

    fn what(&self) -> String {
        let layer = self
            .layer
            .as_ref()
            .map(|(layer, _)| format!("layer `{layer}`"));
        let print = self.fingerprint.as_ref();
        let print = print.map(|print| format!("fingerprint `{print}`"));
        let parts: Vec<String> = layer.into_iter().chain(print).collect();
        parts.join(" and ")
    }
}

fn place(finding: &Finding) -> Place {
    match finding.site {
        Some(site) => Place::Site(site),
        None => Place::Node(finding.scope.clone(), finding.node.clone()),
    }
}

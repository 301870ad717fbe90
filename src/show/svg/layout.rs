//! Places for the boxes of a small graph, layer below layer.
//!
//! The method of Sugiyama, Tagawa and Toda (1981): layers by longest path, edges over several layers
//! cut into pieces, layers ordered by the barycentre of their neighbours.

/// The number of passes that order the layers.
const SWEEPS: usize = 8;
/// Between boxes of a layer.
const GAP: f64 = 24.0;
/// Between layers.
const RANK: f64 = 34.0;
/// The width of an edge that passes a layer.
const PASS: f64 = 10.0;

/// A box's size, then its place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    /// The middle.
    pub x: f64,
    /// The top.
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// Places for boxes of these sizes (width, height), and for every edge the points between its ends.
pub(super) struct Layout {
    pub places: Vec<Place>,
    pub bends: Vec<Vec<(f64, f64)>>,
    pub width: f64,
    pub height: f64,
}

/// A box, or where a long edge passes a layer.
struct Spot {
    layer: usize,
    width: f64,
    height: f64,
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Lays out a graph without cycles; edges of a cycle may point upwards.
pub(super) fn layout(sizes: &[(f64, f64)], edges: &[(usize, usize)]) -> Layout {
    let layers = layers(sizes.len(), edges);
    let mut spots: Vec<Spot> = (sizes.iter().zip(&layers))
        .map(|(&(width, height), &layer)| Spot {
            layer,
            width,
            height,
            x: 0.0,
            above: Vec::new(),
            below: Vec::new(),
        })
        .collect();
    let passes: Vec<Vec<usize>> = (edges.iter())
        .map(|&(from, to)| connect(&mut spots, from, to))
        .collect();
    let depth = spots.iter().map(|spot| spot.layer + 1).max().unwrap_or(0);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); depth];
    for (index, spot) in spots.iter().enumerate() {
        rows[spot.layer].push(index);
    }
    order(&mut spots, &mut rows);
    let left = (spots.iter()).fold(f64::INFINITY, |left, s| left.min(s.x - s.width / 2.0));
    let right = (spots.iter()).fold(0.0, |right: f64, s| right.max(s.x - left + s.width / 2.0));
    let mut tops = Vec::new();
    let mut y = 0.0;
    for row in &rows {
        let height = row.iter().map(|&i| spots[i].height).fold(0.0, f64::max);
        tops.push((y, height));
        y += height + RANK;
    }
    let place = |spot: &Spot| {
        let (top, height) = tops[spot.layer];
        Place {
            x: spot.x - left,
            y: top + (height - spot.height) / 2.0,
            width: spot.width,
            height: spot.height,
        }
    };
    Layout {
        places: spots[..sizes.len()].iter().map(place).collect(),
        bends: (passes.iter())
            .map(|pass| {
                let bends = pass.iter().flat_map(|&spot| {
                    let (top, height) = tops[spots[spot].layer];
                    let x = spots[spot].x - left;
                    [(x, top), (x, top + height)]
                });
                bends.collect()
            })
            .collect(),
        width: right,
        height: (y - RANK).max(0.0),
    }
}

/// The layer of every box: below all it comes from, and no higher than it must be.
fn layers(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut layers = vec![0; count];
    // as many rounds as the longest path has steps; a cycle ends with the rounds
    for _ in 0..count {
        let mut moved = false;
        for &(from, to) in edges {
            if from != to && layers[to] <= layers[from] && layers[from] + 1 < count {
                layers[to] = layers[from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    // what nothing leads to stands right above what it leads to
    for index in 0..count {
        if edges.iter().all(|&(_, to)| to != index) {
            let below = edges.iter().filter(|&&(from, _)| from == index);
            let nearest = below.map(|&(_, to)| layers[to]).min();
            layers[index] = nearest.map_or(layers[index], |layer| layer.saturating_sub(1));
        }
    }
    layers
}

/// Joins two boxes through all layers between them; returns where the edge passes.
fn connect(spots: &mut Vec<Spot>, from: usize, to: usize) -> Vec<usize> {
    let (top, bottom) = (spots[from].layer, spots[to].layer);
    let mut passes = Vec::new();
    let mut last = from;
    for layer in top + 1..bottom {
        spots.push(Spot {
            layer,
            width: PASS,
            height: 0.0,
            x: 0.0,
            above: vec![last],
            below: Vec::new(),
        });
        let pass = spots.len() - 1;
        spots[last].below.push(pass);
        passes.push(pass);
        last = pass;
    }
    if top < bottom {
        spots[last].below.push(to);
        spots[to].above.push(last);
    }
    passes
}

fn order(spots: &mut [Spot], rows: &mut [Vec<usize>]) {
    for row in rows.iter() {
        spread(spots, row, |_| None);
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        for step in 0..rows.len() {
            let row = if down { step } else { rows.len() - 1 - step };
            let middle = |spots: &[Spot], index: usize| {
                let near = match down {
                    true => &spots[index].above,
                    false => &spots[index].below,
                };
                let sum: f64 = near.iter().map(|&i| spots[i].x).sum();
                (!near.is_empty()).then(|| sum / near.len() as f64)
            };
            let wanted: Vec<_> = (rows[row].iter())
                .map(|&index| (index, middle(spots, index)))
                .collect();
            let at = |index: usize| wanted.iter().find(|(i, _)| *i == index).and_then(|w| w.1);
            let key = |index: usize| at(index).unwrap_or(spots[index].x);
            rows[row].sort_by(|&a, &b| key(a).total_cmp(&key(b)));
            spread(spots, &rows[row], at);
        }
    }
}

/// Gives the boxes of a row the places they want, as far as there is room.
fn spread(spots: &mut [Spot], row: &[usize], wanted: impl Fn(usize) -> Option<f64>) {
    let mut edge = f64::NEG_INFINITY;
    let mut excess = 0.0;
    for &index in row {
        let half = spots[index].width / 2.0;
        let want = wanted(index).unwrap_or(spots[index].x);
        let x = match edge.is_finite() {
            true => want.max(edge + GAP + half),
            false => want,
        };
        excess += x - want;
        spots[index].x = x;
        edge = x + half;
    }
    // what was pushed to the right is moved back on average
    let shift = excess / row.len().max(1) as f64;
    row.iter().for_each(|&index| spots[index].x -= shift);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (f64, f64) = (100.0, 30.0);

    #[test]
    fn boxes_stand_below_what_they_come_from_and_do_not_touch() {
        let edges = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (4, 3)];
        let layout = layout(&[SIZE; 5], &edges);
        for (from, to) in edges {
            let (above, below) = (layout.places[from], layout.places[to]);
            assert!(above.y + above.height < below.y, "{above:?} {below:?}");
        }
        for (i, a) in layout.places.iter().enumerate() {
            assert!(a.x - a.width / 2.0 >= 0.0 && a.x + a.width / 2.0 <= layout.width + 1e-9);
            for b in &layout.places[..i] {
                let apart = (a.x - b.x).abs() >= (a.width + b.width) / 2.0;
                assert!(apart || a.y + a.height <= b.y || b.y + b.height <= a.y);
            }
        }
        // the long edge has a way through the middle layer
        assert_eq!(layout.bends[4].len(), 2);
        assert!(layout.bends[0].is_empty());
    }

    #[test]
    fn nothing_loops_and_cycles_end() {
        assert_eq!(layout(&[], &[]).height, 0.0);
        for edges in [
            vec![(0, 0)],
            vec![(0, 1), (1, 0)],
            vec![(0, 1), (1, 2), (2, 0)],
        ] {
            let layout = layout(&[SIZE; 3], &edges);
            assert!(layout.places.iter().all(|place| place.x.is_finite()));
        }
    }
}

//! Where the nodes of a graph stand, in layers from left to right.
//!
//! The layered method: an edge goes from one layer to the next; a longer one gets a bend in each layer
//! between, so that it can be led around nodes; then each layer is sorted by where its neighbours
//! stand, forth and back. The same graph always gives the same picture. What is drawn is not known
//! here.

use crate::contract::Place;

/// How often layers are sorted.
const SWEEPS: usize = 8;
/// With more bends than this long edges are drawn straight.
const BENDS_MAX: usize = 50_000;

/// Where all stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// The places of the nodes.
    pub(super) nodes: Vec<Place>,
    /// The places that each edge goes through, its ends included.
    pub(super) edges: Vec<Vec<Place>>,
    /// How many layers there are.
    pub(super) layers: usize,
    /// How many rows the longest layer has.
    pub(super) rows: usize,
}

/// Lays a graph out. Every edge goes from a node to one on a later layer; `layer` has an entry for
/// every node.
pub(super) fn layout(layer: &[usize], edges: &[(usize, usize)]) -> Layout {
    let mut net = Net::new(layer);
    let paths: Vec<Vec<usize>> = edges.iter().map(|edge| net.connect(*edge)).collect();
    for sweep in 0..SWEEPS {
        net.sort(sweep % 2 == 0);
    }
    let places = net.places();
    let path = |path: &Vec<usize>| path.iter().map(|at| places[*at]).collect();
    Layout {
        nodes: places[..layer.len()].to_vec(),
        edges: paths.iter().map(path).collect(),
        layers: net.layers.len(),
        rows: net.rows(),
    }
}

/// Nodes and bends, which are numbered behind the nodes.
struct Net {
    layer: Vec<usize>,
    /// What stands in each layer, from above.
    layers: Vec<Vec<usize>>,
    before: Vec<Vec<usize>>,
    behind: Vec<Vec<usize>>,
    nodes: usize,
}

impl Net {
    fn new(layer: &[usize]) -> Self {
        let count = layer.iter().max().map_or(0, |last| last + 1);
        let mut layers = vec![Vec::new(); count];
        for (node, layer) in layer.iter().enumerate() {
            layers[*layer].push(node);
        }
        let none = vec![Vec::new(); layer.len()];
        let (before, behind) = (none.clone(), none);
        Self { layer: layer.to_vec(), layers, before, behind, nodes: layer.len() }
    }

    /// Adds an edge, with its bends. What it goes through.
    fn connect(&mut self, (from, to): (usize, usize)) -> Vec<usize> {
        let mut path = vec![from];
        let has_room = self.layer.len() - self.nodes < BENDS_MAX;
        for layer in self.layer[from] + 1..self.layer[to] {
            if has_room {
                let bend = self.layer.len();
                self.layer.push(layer);
                self.layers[layer].push(bend);
                self.before.push(Vec::new());
                self.behind.push(Vec::new());
                path.push(bend);
            }
        }
        path.push(to);
        for pair in path.windows(2) {
            self.behind[pair[0]].push(pair[1]);
            self.before[pair[1]].push(pair[0]);
        }
        path
    }

    /// Sorts each layer by the middle of its neighbours in the one before it, or behind it.
    fn sort(&mut self, forth: bool) {
        let mut rows = self.row_of();
        let count = self.layers.len();
        for step in 0..count {
            let at = if forth { step } else { count - 1 - step };
            let neighbours = if forth { &self.before } else { &self.behind };
            let middle = |node: usize| {
                let near = &neighbours[node];
                let sum: usize = near.iter().map(|other| rows[*other]).sum();
                if near.is_empty() { rows[node] as f64 } else { sum as f64 / near.len() as f64 }
            };
            let mut keyed: Vec<(f64, usize)> =
                self.layers[at].iter().map(|node| (middle(*node), *node)).collect();
            // Stable: what has the same middle keeps its order.
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (row, (_, node)) in keyed.iter().enumerate() {
                rows[*node] = row;
                self.layers[at][row] = *node;
            }
        }
    }

    fn row_of(&self) -> Vec<usize> {
        let mut rows = vec![0; self.layer.len()];
        for layer in &self.layers {
            for (row, node) in layer.iter().enumerate() {
                rows[*node] = row;
            }
        }
        rows
    }

    fn rows(&self) -> usize {
        self.layers.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Shorter layers stand in the middle of the longest one.
    fn places(&self) -> Vec<Place> {
        let longest = self.rows();
        let mut places = vec![Place { layer: 0, row: 0.0 }; self.layer.len()];
        for (layer, nodes) in self.layers.iter().enumerate() {
            let above = (longest - nodes.len()) as f64 / 2.0;
            for (row, node) in nodes.iter().enumerate() {
                places[*node] = Place { layer, row: above + row as f64 };
            }
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_stand_side_by_side() {
        // Two chains whose ends were given crosswise.
        let laid = layout(&[0, 0, 1, 1], &[(0, 3), (1, 2)]);
        let rows: Vec<f64> = laid.nodes.iter().map(|place| place.row).collect();
        assert!((rows[0] < rows[1]) == (rows[3] < rows[2]), "{rows:?}");
    }

    #[test]
    fn a_long_edge_is_led_around_the_node_between() {
        let laid = layout(&[0, 1, 2], &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!((laid.layers, laid.rows), (3, 2));
        let [_, bend, _] = laid.edges[2].as_slice() else { panic!("{laid:?}") };
        assert_eq!(bend.layer, 1);
        assert!((bend.row - laid.nodes[1].row).abs() >= 1.0, "{laid:?}");
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(layout(&[], &[]), Layout::default());
    }

    proptest! {
        #[test]
        fn no_two_stand_in_one_place_and_it_is_always_the_same(
            graph in proptest::collection::vec((0_usize..6, any::<u64>()), 1..40)
        ) {
            let layer: Vec<usize> = graph.iter().map(|(layer, _)| *layer).collect();
            let edges: Vec<(usize, usize)> = (0..layer.len())
                .flat_map(|a| (0..layer.len()).map(move |b| (a, b)))
                .filter(|(a, b)| layer[*a] < layer[*b] && graph[*a].1 >> (b % 64) & 1 == 1)
                .collect();
            let laid = layout(&layer, &edges);
            prop_assert_eq!(&laid, &layout(&layer, &edges));
            for (a, place) in laid.nodes.iter().enumerate() {
                prop_assert_eq!(place.layer, layer[a]);
                prop_assert!(laid.nodes[a + 1..].iter().all(|other| other != place));
            }
            for (edge, path) in edges.iter().zip(&laid.edges) {
                prop_assert_eq!(path[0], laid.nodes[edge.0]);
                prop_assert_eq!(path[path.len() - 1], laid.nodes[edge.1]);
                prop_assert!(path.windows(2).all(|pair| pair[0].layer + 1 == pair[1].layer));
            }
        }
    }
}

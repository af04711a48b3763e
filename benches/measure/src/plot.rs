//! A plot of ratios, as SVG that is read on light and dark pages.

use std::fmt::{self, Write};

/// One contestant's figure.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Which of the plot's series it belongs to.
    pub series: usize,
    /// Its ratio to the reference.
    pub ratio: f64,
    /// The quartiles, as ratios too.
    pub quartiles: (f64, f64),
}

/// A row of the plot.
#[derive(Clone, Debug)]
pub struct Group {
    /// What was done.
    pub name: String,
    /// What stands at the right.
    pub note: String,
    /// Who did it.
    pub bars: Vec<Bar>,
}

/// Rows of points on a logarithmic scale; 1 is the reference.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Who takes part: name and colour. The first is drawn largest.
    pub series: Vec<(String, &'static str)>,
    /// The rows.
    pub groups: Vec<Group>,
    /// The least and the greatest ratio that is drawn.
    pub range: (f64, f64),
}

const WIDTH: f64 = 960.0;
const LEFT: f64 = 400.0;
const RIGHT: f64 = 90.0;
const ROW: f64 = 22.0;
/// Grey where the colour scheme is not known.
const STYLE: &str = "
  text { font: 12px system-ui, sans-serif; fill: #6e7781; }
  .title { font-size: 14px; font-weight: 600; }
  .grid { stroke: #8c959f; stroke-opacity: .35; }
  .one { stroke: #6e7781; stroke-width: 1.5; }
  .band { fill: #8c959f; fill-opacity: .1; }
  @media (prefers-color-scheme: light) { text { fill: #24292f; } }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

impl Plot {
    fn x(&self, ratio: f64) -> f64 {
        let (least, greatest) = self.range;
        let share = (ratio.clamp(least, greatest) / least).ln() / (greatest / least).ln();
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (least, greatest) = self.range;
        [
            0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0,
        ]
        .into_iter()
        .filter(move |tick| (least..=greatest).contains(tick))
    }
}

impl fmt::Display for Plot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The legend takes as many lines as it needs.
        let mut legend = String::new();
        let (mut x, mut y) = (LEFT, 44.0);
        for (place, (name, colour)) in self.series.iter().enumerate() {
            let width = 26.0 + 7.0 * name.len() as f64;
            if x + width > WIDTH {
                (x, y) = (LEFT, y + 18.0);
            }
            let radius = if place == 0 { 6.0 } else { 4.0 };
            writeln!(
                legend,
                r#"<circle cx="{:.1}" cy="{:.1}" r="{radius}" fill="{colour}"/><text x="{:.1}" y="{y:.1}">{}</text>"#,
                x + 6.0,
                y - 4.0,
                x + 16.0,
                escaped(name),
            )?;
            x += width;
        }
        let top = y + 34.0;
        let bottom = top + ROW * self.groups.len() as f64;
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {:.0}" role="img" aria-label="{}">"#,
            bottom + 12.0,
            escaped(&self.title),
        )?;
        writeln!(f, "<style>{STYLE}</style>")?;
        writeln!(
            f,
            r#"<text class="title" x="8" y="20">{}</text>"#,
            escaped(&self.title)
        )?;
        f.write_str(&legend)?;
        for tick in self.ticks() {
            let x = self.x(tick);
            let class = if tick == 1.0 { "one" } else { "grid" };
            writeln!(
                f,
                r#"<line class="{class}" x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{bottom:.1}"/><text class="quiet" x="{x:.1}" y="{:.1}" text-anchor="middle">{tick}</text>"#,
                top - 4.0,
                top - 10.0,
            )?;
        }
        for (row, group) in self.groups.iter().enumerate() {
            let upper = top + ROW * row as f64;
            let middle = upper + ROW / 2.0;
            if row % 2 == 0 {
                writeln!(
                    f,
                    r#"<rect class="band" x="0" y="{upper:.1}" width="{WIDTH}" height="{ROW}"/>"#
                )?;
            }
            writeln!(
                f,
                r#"<text x="8" y="{:.1}">{}</text><text class="quiet" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                middle + 4.0,
                escaped(&group.name),
                WIDTH - 8.0,
                middle + 4.0,
                escaped(&group.note),
            )?;
            // The first series last, on top of the others.
            for bar in group.bars.iter().rev() {
                let colour = self.series[bar.series].1;
                let (x, radius) = (self.x(bar.ratio), if bar.series == 0 { 6.0 } else { 4.0 });
                // Outside of what is drawn: an arrow at the edge.
                let away = if bar.ratio < self.range.0 {
                    -6.0
                } else if bar.ratio > self.range.1 {
                    6.0
                } else {
                    0.0
                };
                if away != 0.0 {
                    writeln!(
                        f,
                        r#"<path d="M{x:.1} {:.1}l{away:.1} 5l{:.1} 5z" fill="{colour}"/>"#,
                        middle - 5.0,
                        -away,
                    )?;
                    continue;
                }
                writeln!(
                    f,
                    r#"<line x1="{:.1}" x2="{:.1}" y1="{middle:.1}" y2="{middle:.1}" stroke="{colour}" stroke-width="2" stroke-opacity=".6"/><circle cx="{:.1}" cy="{middle:.1}" r="{radius}" fill="{colour}"/>"#,
                    self.x(bar.quartiles.0),
                    self.x(bar.quartiles.1),
                    x,
                )?;
            }
        }
        writeln!(f, "</svg>")
    }
}

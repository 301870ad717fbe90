//! `audit --format html`. `.ci/browser.py` opens the page in a browser.

use crate::common::build::*;
use crate::common::cli::Folder;
use prost::Message;

/// The rows of the table, by what is in them.
fn rows(page: &str) -> Vec<&str> {
    let body = page.split("<tbody>").nth(1).unwrap();
    let body = body.split("</tbody>").next().unwrap();
    body.split("<tr ").skip(1).collect()
}

#[test]
fn every_model_is_a_row_with_its_dropout_and_findings() {
    let folder = Folder::new();
    folder.copy("torch_course_preserve_op17", "active.onnx");
    folder.copy("torch_course_eval_op17", "clean.onnx");
    folder.write("broken.onnx", "text");
    let said = folder.run("audit . --format html").exits(2);
    let rows = rows(said.text());
    let row = |verdict: &str| {
        let row = rows
            .iter()
            .find(|row| row.contains(&format!("data-verdict=\"{verdict}\"")));
        *row.unwrap_or_else(|| panic!("no {verdict} row"))
    };
    assert_eq!(rows.len(), 3);
    let active = row("active");
    for part in [
        "data-rule=\"active-dropout\"",
        "data-producer=\"pytorch\"",
        "<summary>active.onnx</summary>",
        "p=0.5 Dropout operator ×2",
        "<code>2, 5</code>",
        "dropout-onnx strip active.onnx",
    ] {
        assert!(active.contains(part), "{part}: {active}");
    }
    assert!(row("unreadable").contains("broken.onnx: a text file"));
    // the twin: there is nothing to open
    assert!(!row("clean").contains("<details>"));
    let summary = "3 models: 1 active, 1 clean, 1 unreadable; 2 errors";
    assert!(said.text().contains(summary));
}

#[test]
fn dropout_alike_is_one_picture() {
    let folder = Folder::new();
    folder.copy("torch_course_preserve_op17", "two.onnx");
    folder.copy("torch_course_eval_op17", "none.onnx");
    let said = folder
        .run("audit two.onnx none.onnx --format html")
        .exits(1);
    let rows = rows(said.text());
    let [two, none] = ["two.onnx", "none.onnx"].map(|path| {
        let row = rows.iter().find(|row| row.contains(path));
        *row.unwrap_or_else(|| panic!("no row of {path}"))
    });
    assert_eq!(two.matches("<figure tabindex").count(), 2, "{two}");
    assert!(two.contains("<figcaption>dropout 0: active, p=0.5, operator"));
    assert!(two.contains("class=\"active own\""));
    assert!(!two.contains("--format svg"), "no picture is left out");
    assert!(!none.contains("<figure tabindex"), "the twin");
}

/// Of many different dropouts, the page has the pictures there is room for.
#[test]
fn pictures_that_are_left_out_are_counted() {
    let folder = Folder::new();
    // names that differ in more than numbers
    let nodes: Vec<_> = (b'a'..=b'z')
        .flat_map(|first| [b'x', b'y', b'z'].map(|second| [first, second]))
        .flat_map(|name| {
            let name = String::from_utf8_lossy(&name).into_owned();
            let dropout = format!("{name} = Dropout(x, ratio, on)");
            [dropout, format!("{name}_out = Relu({name})")].map(|text| op(&text))
        })
        .collect();
    let last = [op("y = Identity(ax)")];
    let graph = x_to_y(nodes.into_iter().chain(last))
        .init("ratio", f32_scalar(0.1))
        .init("on", flag(true));
    folder.write("many.onnx", model(17, graph).encode_to_vec());
    let said = folder.run("audit many.onnx --format html").exits(1);
    let drawn = said.text().matches("<figure tabindex").count();
    assert!(drawn > 2, "{drawn}");
    let rest = said.text().split("</figure><p>").last().unwrap();
    let (left, rest) = rest.split_once(" more pictures: ").unwrap();
    assert!(rest.starts_with("<code>dropout-onnx show --format svg many.onnx</code>"));
    let whole = folder.run("show --format svg many.onnx").exits(0);
    let all = whole.text().matches("class=\"title\"").count();
    assert_eq!(drawn + left.parse::<usize>().unwrap(), all);
    assert!(said.text().len() < 90_000, "{} bytes", said.text().len());
}

#[test]
fn allowed_findings_are_not_rules_of_a_row() {
    let folder = Folder::with("torch_course_preserve_op17", "active.onnx");
    let allow = "[[allow]]\nlayer = \"*\"\nreason = \"a <b> & c\"\n";
    folder.write("dropout-onnx.toml", allow);
    let said = folder.run("audit . --format html").exits(0);
    let rows = rows(said.text());
    assert!(rows[0].contains("data-rule=\"\""), "{}", rows[0]);
    assert!(rows[0].contains("active-dropout (allowed: a &lt;b&gt; &amp; c)"));
}

#[test]
fn names_cannot_leave_their_place() {
    let folder = Folder::new();
    let nodes = [op("y = Dropout(x, ratio, on)").named("</script><img src=x onerror='a'>\u{1b}")];
    let graph = x_to_y(nodes)
        .init("ratio", f32_scalar(0.1))
        .init("on", flag(true));
    folder.write("a\"&'.onnx", model(17, graph).encode_to_vec());
    let said = folder.run("audit . --format html").exits(1);
    let row = rows(said.text())[0].to_string();
    assert!(!row.contains("<img") && !row.contains("</script>"), "{row}");
    assert!(
        row.contains("a&quot;&amp;&#39;.onnx") && row.contains("&lt;img"),
        "{row}"
    );
    assert!(!said.text().contains('\u{1b}'));
    assert_eq!(said.text().matches("<script>").count(), 1);
}

#[test]
fn a_page_needs_nothing_outside_it() {
    let folder = Folder::with("torch_course_preserve_op17", "active.onnx");
    let page = folder.run("audit active.onnx --format html").exits(1);
    let text = page.text().replace("url(#arrow)", ""); // in the page
    for outside in ["http:", "https:", "src=", "href=", "url(", "import "] {
        assert!(!text.contains(outside), "{outside}");
    }
    for part in [
        "prefers-color-scheme: dark",
        "@media print",
        "aria-live",
        "<html lang=\"en\">",
    ] {
        assert!(page.text().contains(part), "{part}");
    }
}

"""Labels of texts, predicted from their vectors, beside tf-idf and beside both together.

    quern vectors-of --model MODEL train.jsonl --out train.npy
    quern vectors-of --model MODEL test.jsonl --out test.npy
    python examples/label_features.py train.jsonl train.npy test.jsonl test.npy

Lines are {"text": …, "labels": […]}; a row of the .npy files belongs to each. Needs scikit-learn.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, label_ranking_average_precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import MultiLabelBinarizer


def read(path: str) -> tuple[list[str], list[list[str]]]:
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    return [row["text"] for row in rows], [row["labels"] for row in rows]


def main(train: str, train_vectors: str, test: str, test_vectors: str) -> None:
    (known, labels), (asked, wanted) = read(train), read(test)
    binarizer = MultiLabelBinarizer().fit(labels)
    wanted = [[label for label in of if label in set(binarizer.classes_)] for of in wanted]
    y, y_test = binarizer.transform(labels), binarizer.transform(wanted)

    tfidf = TfidfVectorizer(sublinear_tf=True, min_df=2).fit(known)
    words = tfidf.transform(known), tfidf.transform(asked)
    vectors = csr_matrix(np.load(train_vectors)), csr_matrix(np.load(test_vectors))
    features = {
        "vectors": vectors,
        "tf-idf": words,
        "both": tuple(hstack(parts).tocsr() for parts in zip(words, vectors, strict=True)),
    }
    for name, (x, x_test) in features.items():
        model = OneVsRestClassifier(LogisticRegression(C=10, max_iter=500))
        model.fit(x, y)
        precision = label_ranking_average_precision_score(y_test, model.predict_proba(x_test))
        f1 = f1_score(y_test, model.predict(x_test), average="micro", zero_division=0)
        print(f"{name:8} average precision {precision:.3f}   F1 {f1:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])

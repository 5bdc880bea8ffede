# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, sizes and policies as S3 and MinIO take them."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._minio import MinioError, values


@pytest.mark.parametrize("name", ["mlflow", "a1b", "my.bucket-1", "a" * 63, "1.2.3", "256-1-1-1"])
def test_bucket_names_that_s3_takes(name: str) -> None:
    assert values.bucket_name(name, "buckets.x.name") == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ab", "3 to 63"),
        ("a" * 64, "it has 64 characters"),
        ("My-Bucket", "only a-z"),
        ("my_bucket", "only a-z"),
        ("mÿbucket", "only a-z"),
        ("-bucket", "begin and end"),
        ("bucket.", "begin and end"),
        ("my..bucket", "a dot must stand"),
        ("my.-bucket", "a dot must stand"),
        ("192.168.1.1", "looks like an IP address"),
        ("999.168.1.1", "looks like an IP address"),
        ("xn--bucket", "'xn--' is reserved"),
        ("data-s3alias", "'-s3alias' is reserved"),
        ("minio", "reserved by MinIO"),
        ("bucket\n", "only a-z"),
    ],
)
def test_bucket_names_that_s3_refuses(name: str, reason: str) -> None:
    with pytest.raises(MinioError, match=reason) as caught:
        values.bucket_name(name, "buckets.x.name")
    assert str(caught.value).startswith("buckets.x.name: ")


@pytest.mark.parametrize(
    ("text", "number"), [("50Gi", 50 * 2**30), ("0", 0), ("1.5Ki", 1536), ("10M", 10**7), ("2k", 2000), (" 7 ", 7)]
)
def test_sizes(text: str, number: int) -> None:
    assert values.size(text, "quota") == number


@pytest.mark.parametrize("text", ["", "ten", "-1", "10 Gi", "5GB", "1,5Gi"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(MinioError, match=r"quota: .*for example 50Gi"):
        values.size(text, "quota")


@pytest.mark.parametrize(("name", "word"), [("ab", "at least 3"), ("a=b", "'='"), ("a,b", "'='"), (" ana", "space")])
def test_access_keys_that_minio_refuses(name: str, word: str) -> None:
    with pytest.raises(MinioError, match=word):
        values.access_key(name, "users.access_key")


def test_a_short_secret_is_not_shown() -> None:
    with pytest.raises(MinioError, match="has 6 characters; MinIO wants at least 8") as caught:
        values.secret_key("s3cr3t", "users.ana.secret_key")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("name", ["readwrite", "consoleAdmin", "with space", "a,b", ""])
def test_policies_that_are_not_managed(name: str) -> None:
    with pytest.raises(MinioError, match=r"choose another name|write a-z"):
        values.policy_name(name, "policies.x.name")


ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "this is not JSON"),
        ([], "a list named Statement"),
        ({"Statement": []}, "a list named Statement"),
        ({"Statement": [{**ALLOW, "Effect": "allow"}]}, r"Statement\[0\].Effect: write Allow or Deny"),
        ({"Statement": [ALLOW, {"Effect": "Deny", "Resource": "*"}]}, r"Statement\[1\].Action: name at least one"),
        ({"Statement": {"Effect": "Allow", "Action": "s3:*"}}, r"Statement\[0\].Resource: name at least one"),
    ],
)
def test_documents_that_are_not_complete(document: object, message: str) -> None:
    with pytest.raises(MinioError, match=f"^policies.x.policy.*{message}"):
        values.policy_document(document, "policies.x.policy")


def test_administrative_actions_need_no_resource() -> None:
    document = {"Statement": [{"Effect": "Allow", "Action": ["admin:*", "kms:*"]}]}
    assert values.policy_document(document, "p") == document


def test_policies_that_mean_the_same_are_equal() -> None:
    """As the server returns it: single values as lists, in any order, and a star doubled."""
    given = {
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "*"},
            {**ALLOW, "Condition": {"Bool": {"aws:SecureTransport": True}}},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*", "Sid": ""},
        ]
    }
    returned = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::b/*"],
                "Condition": {"Bool": {"aws:SecureTransport": ["true"]}},
            },
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["**"]},
        ],
    }
    assert values.canonical_policy(given) == values.canonical_policy(returned)
    assert values.canonical_policy(given) != values.canonical_policy({"Statement": [ALLOW]})


def test_a_name_is_given_once() -> None:
    with pytest.raises(MinioError, match=r"users\[1\].access_key: 'ana' is given twice"):
        values.unique_by([{"access_key": "ana"}, {"access_key": "ana"}], "access_key", "users")


@pytest.mark.parametrize("prefix", ["/models", "models*", "a b", "${aws:username}/"])
def test_prefixes_that_a_policy_would_read_otherwise(prefix: str) -> None:
    with pytest.raises(MinioError, match=r"applications.x.prefix: .*leave it out"):
        values.prefix(prefix, "applications.x.prefix")


def test_an_application_may_do_no_more_than_it_needs() -> None:
    reader = values.bucket_policy("b", "desa/", "read")
    actions = {action for statement in reader["Statement"] for action in statement["Action"]}
    assert actions == {"s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"}
    objects = [statement["Resource"] for statement in reader["Statement"] if "s3:GetObject" in statement["Action"]]
    assert objects == [["arn:aws:s3:::b/desa/*"]]
    for document in (reader, values.bucket_policy("b")):
        assert values.policy_document(document, "p") == document

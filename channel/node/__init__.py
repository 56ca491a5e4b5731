"""A party's node: takes records from own desks, keeps and signs the logs, follows them to the other side."""

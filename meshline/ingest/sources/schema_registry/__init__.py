"""A Schema Registry. `registry_client` asks it, `subjects` names topics, `parse` parses schemas with what they refer to, `facts` builds the
facts, `topic_crawl` is one reading, `topic_history` what the topics were before.
"""

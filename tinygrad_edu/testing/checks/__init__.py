"""The demands on an op, one page for each subject: values, rules, presence, memory, records, layouts."""

"""What is asked of an op, a page a subject: values, rules, presence, memory, records, layouts."""

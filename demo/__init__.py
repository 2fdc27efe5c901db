"""The whole loop on real e-mails: a real Label Studio, a real nextlabel, and a simulated annotator between them."""

"""From counts to absorbance on the model's grid."""

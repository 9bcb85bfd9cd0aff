# What R says of fixed data. Writes the reference values of tests/statistics/test_r.py, one "name value" per line:
#   cd tests/statistics/r && Rscript reference.R > reference.txt
say <- function(name, values) cat(sprintf("%s %.15g\n", name, values), sep = "")

cat("#", R.version.string, "\n")
scores <- read.csv("scores.csv")
matrix_of <- function(side) as.matrix(scores[scores$side == side, -(1:2)])
a <- matrix_of("variant")
b <- matrix_of("reference")
x <- rowMeans(a)
y <- rowMeans(b)

# Welch's t over seeds
welch <- t.test(x, y)
say("welch.effect", welch$estimate[[1]] - welch$estimate[[2]])
say("welch.standard_error", welch$stderr)
say("welch.df", welch$parameter)
say("welch.p", welch$p.value)
for (level in c(0.9, 0.95, 0.99)) {
  bounds <- t.test(x, y, conf.level = level)$conf.int
  say(paste0("welch.low.", level), bounds[1])
  say(paste0("welch.high.", level), bounds[2])
}

# Two one-sided tests against a margin
for (margin in c(0.2, 0.8, 2)) {
  above <- t.test(x, y, mu = -margin, alternative = "greater")$p.value
  below <- t.test(x, y, mu = margin, alternative = "less")$p.value
  say(paste0("equivalence.", margin), max(above, below))
}

# Seeds and images, crossed: mean squares from the analysis of variance, moments as they are defined
residual <- function(m) {
  long <- data.frame(
    y = c(m), seed = factor(rep(seq_len(nrow(m)), ncol(m))), image = factor(rep(seq_len(ncol(m)), each = nrow(m)))
  )
  anova(aov(y ~ seed + image, long))["Residuals", "Mean Sq"]
}
images <- ncol(a)
d <- colMeans(a) - colMeans(b)
of_images <- max(0, var(d) - residual(a) / nrow(a) - residual(b) / nrow(b)) / images
variance <- welch$stderr^2 + of_images
share <- of_images / variance
fourth <- mean((d - mean(d))^4)
df_images <- 2 * var(d)^2 / ((fourth - var(d)^2 * (images - 3) / (images - 1)) / images)
df <- 1 / ((1 - share) / welch$parameter[[1]] + share / df_images)
effect <- mean(x) - mean(y)
say("crossed.effect", effect)
say("crossed.standard_error", sqrt(variance))
say("crossed.df", df)
say("crossed.image_share", share)
say("crossed.p", 2 * pt(-abs(effect) / sqrt(variance), df))
say("crossed.low", effect - qt(0.975, df) * sqrt(variance))
say("crossed.high", effect + qt(0.975, df) * sqrt(variance))

# Every assignment of the runs to the two sides
statistic <- function(chosen) abs(t.test(c(x, y)[chosen], c(x, y)[-chosen])$statistic)
every <- combn(length(x) + length(y), length(x), statistic)
say("permutation.p", mean(every >= statistic(seq_along(x)) * (1 - 1e-9)))
z <- y[1:3] + c(0.9, -0.2, 0.05)
w <- y[2:5]
statistic <- function(chosen) abs(t.test(c(z, w)[chosen], c(z, w)[-chosen])$statistic)
every <- combn(7, 3, statistic)
say("permutation.second", mean(every >= statistic(1:3) * (1 - 1e-9)))

# Families
families <- list(plain = c(0.001, 0.02, 0.03, 0.008, 0.4, 0.012, 0.049), tied = c(0.01, 0.01, 0.9, 0.03), one = 0.04)
for (name in names(families)) {
  p <- families[[name]]
  say(paste0("holm.", name, ".", seq_along(p)), p.adjust(p, "holm"))
  say(paste0("bh.", name, ".", seq_along(p)), p.adjust(p, "BH"))
}
